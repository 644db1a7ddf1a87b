use harness::odoo::series;
use harness::postgres::SUPERUSER;

use super::*;
use crate::odoo::small_database::SmallDatabase;
use crate::odoo::{attachments, odoo_facts};
use crate::postgres::{Endpoint, connect};

fn database() -> SmallDatabase {
    SmallDatabase::of_series(series::ALL[series::ALL.len() - 1])
}

async fn superuser(database: &SmallDatabase) -> Session {
    connect(&Endpoint { user: SUPERUSER.into(), ..database.endpoint() }).await.unwrap()
}

async fn look(session: &Session, table: &str) -> FoundTable {
    Schema::find(session).await.unwrap().unwrap().look(session, table).await.unwrap()
}

#[tokio::test]
async fn tables_in_another_schema_are_found() {
    let database = database();
    database.sql("ALTER SCHEMA public RENAME TO \"Odoo's own\"");
    let session = connect(&database.endpoint()).await.unwrap();
    let schema = Schema::find(&session).await.unwrap().unwrap();
    assert_eq!(schema.table("res_users"), "\"Odoo's own\".\"res_users\"");
    assert!(odoo_facts(&session).await.unwrap().is_some());
    attachments(&session).await.unwrap();
    assert_eq!(Schema::reason_not_odoo(&session).await.unwrap(), None);
}

#[tokio::test]
async fn owner_search_path_chooses_schema() {
    let database = database();
    database.sql("CREATE SCHEMA former; CREATE TABLE former.ir_module_module (name text)");
    let session = connect(&database.endpoint()).await.unwrap();
    assert_eq!(Schema::find(&session).await.unwrap().unwrap().name(), "public");
    database.sql("ALTER ROLE odoo SET search_path = former, public");
    assert_eq!(Schema::find(&session).await.unwrap().unwrap().name(), "former");
    database.sql("ALTER ROLE odoo IN DATABASE copy SET search_path = nowhere, public");
    assert_eq!(Schema::find(&session).await.unwrap().unwrap().name(), "public");
}

#[tokio::test]
async fn views_are_refused() {
    let database = database();
    database
        .sql("ALTER TABLE ir_config_parameter RENAME TO real; CREATE VIEW ir_config_parameter AS SELECT * FROM real");
    let session = connect(&database.endpoint()).await.unwrap();
    let refused = FoundTable::Refused("public.ir_config_parameter is a view, and is not read".into());
    assert_eq!(look(&session, "ir_config_parameter").await, refused);
    assert_eq!(odoo_facts(&session).await.unwrap().unwrap().database_uuid, None);
    database.sql(
        "ALTER TABLE ir_attachment RENAME TO other; CREATE MATERIALIZED VIEW ir_attachment AS SELECT * FROM other",
    );
    assert_eq!(odoo_facts(&session).await.unwrap(), None);
    let reason = Schema::reason_not_odoo(&session).await.unwrap().unwrap();
    assert_eq!(reason, "public.ir_attachment is a materialized view, and is not read");
}

/// Plants everything that the planner runs for a table that is read, without any view.
#[tokio::test]
async fn tables_calling_functions_are_refused() {
    let planted = [
        "CREATE INDEX planted ON ir_config_parameter (key) WHERE evil(1)",
        "CREATE INDEX planted ON ir_config_parameter ((evil(1)))",
        "ALTER TABLE ir_config_parameter ADD CONSTRAINT planted CHECK (evil(1))",
        "CREATE STATISTICS planted ON key, (evil(1)) FROM ir_config_parameter",
        "ALTER TABLE ir_config_parameter ADD COLUMN planted boolean GENERATED ALWAYS AS (evil(1)) STORED",
        "CREATE TABLE child (CHECK (evil(1))) INHERITS (ir_config_parameter)",
        "CREATE OPERATOR === (FUNCTION = same, LEFTARG = int, RIGHTARG = int);
         CREATE INDEX planted ON ir_config_parameter (key) WHERE 1 === 1",
    ];
    for planted in planted {
        let database = database();
        database.sql(
            "CREATE FUNCTION evil(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
                 $$BEGIN IF current_user <> 'odoo' THEN RAISE 'evil runs as %', current_user; END IF; RETURN true; END$$;
             CREATE FUNCTION same(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT public.evil($1)'",
        );
        database.sql(planted);
        let session = superuser(&database).await;
        match look(&session, "ir_config_parameter").await {
            FoundTable::Refused(reason) => assert!(reason.contains("it depends on the "), "{reason}"),
            other => panic!("{planted}: {other:?}"),
        }
        assert_eq!(odoo_facts(&session).await.unwrap().unwrap().database_uuid, None, "{planted}");
        // Its owner gets no privileges that it does not have.
        let session = connect(&database.endpoint()).await.unwrap();
        assert!(matches!(look(&session, "ir_config_parameter").await, FoundTable::Table(_)), "{planted}");
        odoo_facts(&session).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn columns_of_foreign_types_are_skipped() {
    let database = database();
    database.sql("CREATE TYPE varchar AS ENUM ('a'); ALTER TABLE ir_config_parameter ADD COLUMN mood public.varchar");
    let session = superuser(&database).await;
    let table = look(&session, "ir_config_parameter").await.table().unwrap();
    assert!(table.has("key") && !table.has("mood"));
}
