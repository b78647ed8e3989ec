//! Who may come in, as it stands on the books: a copy that everybody in this process can look at without asking the
//! loop. It is changed after the commit that made the change durable.

use grove_core::circle::Circle;
use std::sync::Arc;
use tokio::sync::watch;

/// A cheap handle to the newest copy.
#[derive(Debug, Clone)]
pub struct Roll(watch::Receiver<Arc<Circle>>);

/// The one hand that changes it.
#[derive(Debug)]
pub(super) struct Pen(watch::Sender<Arc<Circle>>);

impl Pen {
    pub(super) fn new() -> Pen {
        Pen(watch::Sender::default())
    }

    pub(super) fn write(&self, circle: &Circle) {
        self.0.send_replace(Arc::new(circle.clone()));
    }

    pub(super) fn roll(&self) -> Roll {
        Roll(self.0.subscribe())
    }
}

/// Nobody belongs, for ever.
impl Default for Roll {
    fn default() -> Roll {
        Pen::new().roll()
    }
}

impl Roll {
    /// The circle as it is now.
    pub fn now(&self) -> Arc<Circle> {
        Arc::clone(&self.0.borrow())
    }

    /// Comes back when something holds of the circle; an error when the node has stopped.
    pub async fn until(&mut self, mut holds: impl FnMut(&Circle) -> bool) -> Result<(), super::Gone> {
        self.0.wait_for(|circle| holds(circle)).await.map(|_| ()).map_err(|_| super::Gone)
    }

    /// Comes back when the circle has changed since it was last looked at.
    pub async fn changed(&mut self) -> Result<Arc<Circle>, super::Gone> {
        self.0.changed().await.map_err(|_| super::Gone)?;
        Ok(Arc::clone(&self.0.borrow_and_update()))
    }
}
