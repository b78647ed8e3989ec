//! A D-Bus of this machine. It is kept for as long as it answers; after an error, or a question that took too long, the
//! next question begins with a new connection.

use super::super::NoSight;
use crate::owner::Soon;
use zbus::Connection;

#[derive(Debug)]
pub(super) struct Bus {
    whose: Whose,
    open: Option<Connection>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Whose {
    System,
    Session,
}

impl Bus {
    pub(super) fn new(whose: Whose) -> Bus {
        Bus { whose, open: None }
    }

    pub(super) async fn ask<T>(
        &mut self,
        question: impl for<'b> FnOnce(&'b Connection) -> Soon<'b, Result<T, NoSight>>,
    ) -> Result<T, NoSight> {
        // Whoever asks may be dropped in the middle: only a connection that has answered is put back.
        let bus = match (self.open.take(), self.whose) {
            (Some(bus), _) => bus,
            (None, Whose::System) => Connection::system().await?,
            (None, Whose::Session) => Connection::session().await?,
        };
        let said = question(&bus).await?;
        self.open = Some(bus);
        Ok(said)
    }
}
