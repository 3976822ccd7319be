//! The clock's part: requests expire also where no client is left to notice.

use std::time::Duration;

use super::Broker;

/// How often due requests are looked for. Sessions that wait have a timer of their own.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Expires what is due, for ever. Cancel-safe: to be dropped at shutdown.
pub async fn sweep_expired(broker: Broker) {
    let mut ticks = crate::timer::interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(crate::timer::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        match broker.expire_due().await {
            Ok(()) => failing = false,
            Err(error) => {
                // Once for each outage, not once a second.
                if !failing {
                    tracing::error!(%error, "cannot expire requests");
                }
                failing = true;
            }
        }
    }
}
