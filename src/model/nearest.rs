//! The name that somebody probably meant.

/// Returns the candidate nearest to `name`, if one is near enough to be a likely slip of the hand.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.to_lowercase().chars().take(LONGEST).collect();
    let limit = (wanted.len() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| {
            let letters: Vec<char> = candidate.to_lowercase().chars().take(LONGEST).collect();
            (distance(&wanted, &letters), candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        // The first of equally near ones, so that the answer does not depend on chance.
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Parameter names have 255 characters at most; longer input is cut to keep the work bounded.
const LONGEST: usize = 255;

/// Returns how many letters must be inserted, removed, replaced or swapped with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut best = (above[j] + usize::from(x != y))
                .min(above[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                best = best.min(before[j - 1] + 1);
            }
            row[j + 1] = best;
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let names = ["QueueVisibility", "QueueName", "Topic"];
        let near = |name| nearest(name, names);
        assert_eq!(near("QueueVisiblity"), Some("QueueVisibility"));
        assert_eq!(near("queuename"), Some("QueueName"));
        assert_eq!(near("Tpoic"), Some("Topic"));
        assert_eq!(near("VpcCidr"), None);
        assert_eq!(nearest("", ["A"]), Some("A"));
        assert_eq!(nearest("X", []), None);
    }

    #[test]
    fn swapping_two_neighbours_is_one_step() {
        let chars = |t: &str| t.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars("ab"), &chars("ba")), 1);
        assert_eq!(distance(&chars("kitten"), &chars("sitting")), 3);
        assert_eq!(distance(&chars(""), &chars("abc")), 3);
    }
}
