//! A program with tokio-postgres, and what the server tells it by the way.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};

use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls, Notification, SimpleQueryMessage};

use super::people::DATABASE;
use super::poll::in_time;

/// The client; what it can do, tokio-postgres can do.
pub(crate) struct Driver {
    client: Client,
    notices: Mutex<UnboundedReceiver<DbError>>,
    notifications: Mutex<UnboundedReceiver<Notification>>,
    connection: tokio::task::JoinHandle<()>,
}

impl Driver {
    pub(super) async fn connect(proxy: SocketAddr, user: &str, password: &str) -> Result<Self, Error> {
        Self::connect_with(&config(proxy, user, password)).await
    }

    /// Connects as `config` says.
    pub(crate) async fn connect_with(config: &Config) -> Result<Self, Error> {
        let (client, mut connection) = config.connect(NoTls).await?;
        let (notice, notices) = unbounded_channel();
        let (notification, notifications) = unbounded_channel();
        let connection = tokio::spawn(async move {
            while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                pass(message, &notice, &notification);
            }
        });
        Ok(Self {
            client,
            notices: Mutex::new(notices),
            notifications: Mutex::new(notifications),
            connection,
        })
    }

    /// Waits for the next notice.
    pub(crate) async fn notice(&self) -> DbError {
        let mut notices = self.notices.lock().await;
        in_time("a notice", notices.recv())
            .await
            .expect("the connection is open")
    }

    /// Waits for the next notification.
    pub(crate) async fn notification(&self) -> Notification {
        let mut notifications = self.notifications.lock().await;
        in_time("a notification", notifications.recv())
            .await
            .expect("the connection is open")
    }

    /// The first value of the first row, by the simple protocol.
    pub(crate) async fn value(&self, query: &str) -> Result<String, Error> {
        let messages = self.client.simple_query(query).await?;
        let row = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
            _ => None,
        });
        Ok(row.expect("a row"))
    }

    /// Cuts the connection: no goodbye, as when its machine fails.
    pub(crate) fn vanish(self) {
        self.connection.abort();
    }

    /// Waits until the connection is closed.
    pub(crate) async fn closed(&mut self) {
        in_time("the connection is closed", &mut self.connection)
            .await
            .expect("no panic inside");
    }
}

impl Deref for Driver {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Driver {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// How `user` connects.
pub(crate) fn config(proxy: SocketAddr, user: &str, password: &str) -> Config {
    let mut config = Config::new();
    config
        .host(proxy.ip().to_string())
        .port(proxy.port())
        .user(user)
        .password(password)
        .dbname(DATABASE)
        .application_name("it");
    config
}

fn pass(
    message: AsyncMessage,
    notices: &UnboundedSender<DbError>,
    notifications: &UnboundedSender<Notification>,
) {
    // Nobody may be interested any more.
    match message {
        AsyncMessage::Notice(notice) => drop(notices.send(notice)),
        AsyncMessage::Notification(notification) => drop(notifications.send(notification)),
        _ => {}
    }
}

/// The server's error in `result`, which must have one, of this code.
pub(crate) fn refusal<T>(result: Result<T, Error>, code: &SqlState) -> DbError {
    let Err(error) = result else {
        panic!("it was not refused, with {}", code.code());
    };
    let error = error
        .as_db_error()
        .unwrap_or_else(|| panic!("no error of the server: {error:?}"));
    assert_eq!(error.code(), code, "{error:?}");
    error.clone()
}
