//! `odoo-shape`: throw-away PostgreSQL clusters and generated Odoo instances for the demonstration
//! and the benchmarks.

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use harness::odoo::OdooShape;
use harness::postgres::{USER, detached};
use tokio_postgres::{Client, Config, NoTls};

/// Create throw-away PostgreSQL clusters and Odoo-shaped instances
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start or stop a PostgreSQL cluster in a folder
    #[command(subcommand)]
    Cluster(Cluster),
    /// Create a database and its filestore and fill both
    Fill(Instance),
    /// Change a filled instance as one day of use would: add, change and delete messages and
    /// attachments
    Day {
        /// The same instance as for `fill`
        #[command(flatten)]
        instance: Instance,
        /// Number of the day: each number makes other changes
        #[arg(long, default_value_t = 1)]
        number: u64,
    },
}

#[derive(Debug, Subcommand)]
enum Cluster {
    /// Create a cluster and start it; prints how to connect to it, for a shell to evaluate
    Start {
        /// Folder to create it in
        folder: PathBuf,
    },
    /// Stop it at once and keep its folder
    Stop {
        /// Folder it was created in
        folder: PathBuf,
    },
}

/// Reads the password from $PGPASSWORD.
#[derive(Debug, Args)]
struct Instance {
    /// Host of the server, or the folder of its socket
    #[arg(long, env = "PGHOST", default_value = "/var/run/postgresql")]
    host: String,
    /// Port of the server
    #[arg(long, env = "PGPORT", default_value_t = 5432)]
    port: u16,
    /// Role that will own the database
    #[arg(long, env = "PGUSER", default_value = USER)]
    user: String,
    /// Name of the database, which `fill` creates
    #[arg(long)]
    database: String,
    /// Odoo's data_dir: the files go to `DATA_DIR/filestore/DATABASE`
    #[arg(long)]
    data_dir: PathBuf,
    /// Size of the database on the server's disk, such as 20MB or 1GB
    #[arg(long, value_parser = parse_size, default_value = "20MB")]
    size: u64,
    /// Size of the filestore; by default as large as the database
    #[arg(long, value_parser = parse_size)]
    filestore_size: Option<u64>,
    /// Odoo's series
    #[arg(long, default_value = "17.0")]
    series: String,
    /// Seed of the random content
    #[arg(long, default_value_t = 17)]
    seed: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match Arguments::parse().command {
        Command::Cluster(Cluster::Start { folder }) => {
            let password = format!("{:016x}", fastrand::u64(..));
            let port = detached::start(&folder, &password);
            println!("export PGHOST=127.0.0.1 PGPORT={port} PGUSER={USER} PGPASSWORD={password}");
        }
        Command::Cluster(Cluster::Stop { folder }) => detached::stop(&folder),
        Command::Fill(instance) => instance.fill().await?,
        Command::Day { instance, number } => instance.day(number).await?,
    }
    Ok(())
}

impl Instance {
    fn shape(&self) -> OdooShape {
        OdooShape {
            series: self.series.clone(),
            seed: self.seed,
            ..OdooShape::sized(self.size, self.filestore_size.unwrap_or(self.size))
        }
    }

    fn filestore(&self) -> PathBuf {
        self.data_dir.join("filestore").join(&self.database)
    }

    async fn fill(&self) -> Result<(), Box<dyn Error>> {
        let (shape, filestore) = (self.shape(), self.filestore());
        let quoted = harness::postgres::quote_identifier(&self.database);
        self.connect("postgres")
            .await?
            .batch_execute(&format!("CREATE DATABASE {quoted} TEMPLATE template0 ENCODING 'UTF8'"))
            .await?;
        let client = self.connect(&self.database).await?;
        shape.fill(&client, &filestore).await?;
        println!(
            "filled database {} with {} messages and {} attachments, and {}",
            self.database,
            shape.messages,
            shape.attachments,
            filestore.display()
        );
        Ok(())
    }

    async fn day(&self, number: u64) -> Result<(), Box<dyn Error>> {
        let client = self.connect(&self.database).await?;
        let changed = self.shape().day_of_activity(&client, &self.filestore(), number).await?;
        println!("a day of activity: {} files added and {} removed", changed.added.len(), changed.removed.len());
        Ok(())
    }

    async fn connect(&self, database: &str) -> Result<Client, Box<dyn Error>> {
        let mut config = Config::new();
        // A host that begins with a slash is a socket folder.
        config.host(&self.host).port(self.port).user(&self.user).dbname(database);
        if let Ok(password) = std::env::var("PGPASSWORD") {
            config.password(password);
        }
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        unit => return Err(format!("unknown unit {unit}: use kB, MB or GB")),
    };
    let number: f64 = digits.parse().map_err(|_| format!("not a size: {text}"))?;
    Ok((number * factor as f64) as u64)
}
