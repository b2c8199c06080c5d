//! The machine's clock and randomness behind the ports. Nothing else in the gateway reads either.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;

use crate::domain::time::Timestamp;
use crate::ports::{Clock, Entropy};

/// The wall clock; waiting goes by the monotonic one. `sleep` needs a tokio runtime with time enabled.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        // Before 1970 the clock is not set; whatever is told then is wrong, and going on is better than not starting.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH.plus(since_epoch)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The operating system's random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system has a random source");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_tells_a_time_after_this_was_written_and_never_far_apart() {
        let first = SystemClock.now();
        assert!(first > Timestamp::from_ms(1_760_000_000_000), "{first}");
        assert!(SystemClock.now().since(first) < Duration::from_mins(1));
    }

    #[test]
    fn random_bytes_do_not_repeat() {
        let draw = || {
            let mut bytes = [0; 32];
            SystemEntropy.fill(&mut bytes);
            bytes
        };
        assert_ne!(draw(), draw());
    }
}
