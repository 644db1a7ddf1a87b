//! Finds the schema that Odoo uses if several have its tables.

use crate::postgres::{PostgresError, Session};

/// A schema with something called `ir_module_module`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) name: String,
    /// The role that owns it, and that role's search path.
    owner: Way,
    /// The same of the database's owner.
    database_owner: Way,
}

/// A role and its `search_path` in the session's database, where one is set.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    role: String,
    search_path: Option<String>,
}

impl Way {
    /// Returns the schemas that its sessions search, in order.
    fn schemas(&self) -> Vec<String> {
        let path = self.search_path.as_deref().unwrap_or("\"$user\", public");
        split(path).into_iter().map(|name| if name == "$user" { self.role.clone() } else { name }).collect()
    }

    /// Returns the first of these schemas that it leads to.
    fn first<'a>(&self, candidates: &'a [Candidate]) -> Option<&'a str> {
        let find = |name: &String| candidates.iter().find(|candidate| candidate.name == *name);
        self.schemas().iter().find_map(find).map(|candidate| candidate.name.as_str())
    }
}

/// Lists every schema with something called `ir_module_module`, in the order of their names.
pub(super) async fn candidates(session: &Session) -> Result<Vec<Candidate>, PostgresError> {
    /// The most specific setting that applies to a role in this database.
    const SETTING: &str = "(SELECT substr(option, 13) FROM pg_db_role_setting s, unnest(s.setconfig) AS option
        WHERE s.setrole IN (0, r.oid) AND s.setdatabase IN (0, d.oid) AND option LIKE 'search\\_path=%'
        ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1)";
    let query = format!(
        "SELECT n.nspname::text, r.rolname::text, {SETTING}, o.rolname::text, {}
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
         JOIN pg_database d ON d.datname = current_database() JOIN pg_roles o ON o.oid = d.datdba
         WHERE c.relname = 'ir_module_module' AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' ORDER BY 1",
        SETTING.replace("r.oid", "o.oid")
    );
    let rows = session.query(&query, &[]).await.map_err(session.failed("look for Odoo's tables"))?;
    let way = |row: &tokio_postgres::Row, column| Way { role: row.get(column), search_path: row.get(column + 1) };
    let candidate =
        |row: &tokio_postgres::Row| Candidate { name: row.get(0), owner: way(row, 1), database_owner: way(row, 3) };
    Ok(rows.iter().map(candidate).collect())
}

/// Returns the schema that Odoo uses, or why the choice is ambiguous.
pub(super) fn choose(candidates: &[Candidate]) -> Result<String, String> {
    let led_to = |candidate: &&Candidate| candidate.owner.first(candidates) == Some(candidate.name.as_str());
    let by_owner: Vec<_> = candidates.iter().filter(led_to).cloned().collect();
    let by_database = || candidates.first()?.database_owner.first(candidates);
    match (candidates, by_owner.as_slice()) {
        ([], _) => Err("it has no ir_module_module and ir_attachment".into()),
        ([one], _) | (_, [one]) => Ok(one.name.clone()),
        _ => by_database().map(str::to_owned).ok_or_else(|| {
            let names: Vec<_> = candidates.iter().map(|candidate| format!("{:?}", candidate.name)).collect();
            format!(
                "several schemas have an ir_module_module, and no search_path says which is Odoo's: {}",
                names.join(", ")
            )
        }),
    }
}

/// Returns the names in a `search_path`: `"$user", odoo`.
fn split(path: &str) -> Vec<String> {
    let (mut names, mut name, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = path.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                name.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(std::mem::take(&mut name)),
            other if quoted => name.push(other),
            other if other.is_whitespace() => {}
            other => name.extend(other.to_lowercase()),
        }
    }
    names.push(name);
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, owner: (&str, Option<&str>), database_owner: (&str, Option<&str>)) -> Candidate {
        let way = |(role, path): (&str, Option<&str>)| Way { role: role.into(), search_path: path.map(Into::into) };
        Candidate { name: name.into(), owner: way(owner), database_owner: way(database_owner) }
    }

    #[test]
    fn search_path_splits_as_on_server() {
        assert_eq!(split(r#""$user", public"#), ["$user", "public"]);
        assert_eq!(split(r#"Odoo17 , "a ""b"", c""#), ["odoo17", r#"a "b", c"#]);
        assert_eq!(split(r#""""#), [""; 0]);
    }

    #[test]
    fn only_schema_is_chosen() {
        let odoo = ("odoo", None);
        assert_eq!(choose(&[candidate("elsewhere", odoo, odoo)]).unwrap(), "elsewhere");
        choose(&[]).unwrap_err();
    }

    #[test]
    fn owner_path_chooses_schema() {
        let owner = ("odoo", Some("erp, public"));
        let postgres = ("postgres", None);
        let both = [candidate("erp", owner, postgres), candidate("public", owner, postgres)];
        assert_eq!(choose(&both).unwrap(), "erp");
        let named_like_the_role =
            [candidate("odoo", ("odoo", None), postgres), candidate("public", ("odoo", None), postgres)];
        assert_eq!(choose(&named_like_the_role).unwrap(), "odoo");
    }

    #[test]
    fn foreign_tables_hide_no_owner_tables() {
        let (odoo, mallory) = (("odoo", None), ("mallory", Some("mallory")));
        let both = [candidate("mallory", mallory, odoo), candidate("public", odoo, odoo)];
        assert_eq!(choose(&both).unwrap(), "public");
    }

    #[test]
    fn ambiguous_schemas_are_refused() {
        let odoo = ("odoo", None);
        let refused = choose(&[candidate("a", odoo, odoo), candidate("b", odoo, odoo)]).unwrap_err();
        assert!(refused.ends_with(r#"which is Odoo's: "a", "b""#), "{refused}");
    }
}
