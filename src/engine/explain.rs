//! An attempt's outcome in words, for whoever tries an endpoint out.

use super::retry::{Effect, Fate};
use crate::domain::delivery::DeadReason;

/// What would become of a notification, and of its endpoint, by an attempt that ended so.
#[must_use]
pub fn explain(fate: Fate, effect: Effect) -> String {
    let fate = match fate {
        Fate::Delivered => "taken: a notification that is answered so counts as delivered",
        Fate::Dead(DeadReason::TooLarge) => "refused as too large: such a notification is a dead letter at once",
        Fate::Dead(DeadReason::FormatRefused) => {
            "the format is not understood: such a notification is a dead letter at once; see event.notification.format"
        }
        Fate::Dead(_) => "refused for good: such a notification is a dead letter at once",
        Fate::Retry { .. } => "not taken: a notification that ends so is tried again on schedule",
    };
    let effect = match effect {
        Effect::Works | Effect::Nothing | Effect::Refused => "",
        Effect::Unreachable => ", and the endpoint is paused for some seconds",
        Effect::Rest(_) => ", and the endpoint is paused for as long as it asked",
        Effect::Disable => ", and the endpoint is disabled until somebody enables it",
    };
    format!("{fate}{effect}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::Trouble;
    use crate::engine::retry::{Ended, verdict};

    #[test]
    fn each_kind_of_answer_is_told_apart() {
        let answered = |status, instruction| Ended::Answered {
            status,
            asked: None,
            instruction,
        };
        let table = [
            (answered(200, None), "taken", ""),
            (answered(204, Some("disable")), "taken", "disabled"),
            (answered(302, None), "tried again", ""),
            (answered(500, None), "tried again", ""),
            (answered(410, None), "tried again", "disabled"),
            (answered(413, None), "too large", ""),
            (answered(415, None), "format", ""),
            (answered(400, Some("abort-message")), "for good", ""),
            (answered(429, None), "tried again", "as long as it asked"),
            (
                Ended::Unanswered(Trouble::Timeout),
                "tried again",
                "paused for some seconds",
            ),
        ];
        for (ended, fate, effect) in table {
            let (found_fate, found_effect) = verdict(ended);
            let text = explain(found_fate, found_effect);
            assert!(text.contains(fate) && text.contains(effect), "{ended:?}: {text}");
            assert_eq!(text.contains(", and"), !effect.is_empty(), "{ended:?}: {text}");
        }
    }
}
