//! What is small to write and large to read.

use fastrand::Rng;

use super::input::HEAD;

/// Returns something that somebody might write to do harm.
pub fn harm(rng: &mut Rng) -> Vec<u8> {
    let many = [10, 99, 100, 101, 1000, 5000][rng.usize(..6)];
    // Few are so large: each takes a second.
    let many = if rng.u8(..40) == 0 { 300_000 } else { many };
    let levels = many.min(1000);
    match rng.u8(..17) {
        0 => "[".repeat(many),
        1 => format!("{}1{}", "[".repeat(many), "]".repeat(many)),
        2 => format!("{}1{}", "{\"a\":".repeat(many), "}".repeat(many)),
        3 => "- ".repeat(many),
        4 => "? ".repeat(many),
        5 => (0..levels)
            .map(|depth| format!("{}a:\n", " ".repeat(depth)))
            .collect(),
        6 => {
            let bomb = (0..30).map(|n| format!("a{}: &a{} [*a{n}, *a{n}, *a{n}]\n", n + 1, n + 1));
            format!("a0: &a0 x\n{}", bomb.collect::<String>())
        }
        7 => format!("a: &a\n  b: *a\n  {}", "<<: *a\n  ".repeat(levels)),
        8 => format!(
            "{HEAD}{}!Ref A{}}}}}",
            "!Sub ['${V}${V}${V}', {V: ".repeat(levels),
            "}]".repeat(levels)
        ),
        9 => format!(
            "{HEAD}{}{{Ref: L}}{}}}}}",
            "{Fn::Base64: {Fn::Join: ['', [".repeat(levels),
            "]]}}".repeat(levels)
        ),
        10 => {
            let loops = (0..levels)
                .map(|n| format!("{{Fn::ForEach::L{n}: [N{n}, [a, b, c, d], {{'K${{N{n}}}': "));
            format!(
                "{HEAD}{}x{}}}}}",
                loops.collect::<String>(),
                "}]}".repeat(levels)
            )
        }
        11 => {
            let conditions = (0..many).map(|n| {
                format!(
                    "  C{n}: !And [!Condition C{}, !Condition C{}]\n",
                    n + 1,
                    n + 2
                )
            });
            format!(
                "Conditions:\n{}Resources: {{A: {{Type: A::B, Condition: C0}}}}\n",
                conditions.collect::<String>()
            )
        }
        12 => {
            let resources = (0..many.min(20_000)).map(|n| {
                format!(
                    "  R{n}: {{Type: A::B, DependsOn: [R{}, R{}]}}\n",
                    (n + 1) % many,
                    (n * 7) % many
                )
            });
            format!("Resources:\n{}", resources.collect::<String>())
        }
        13 => format!("a: \"{}\"", "\\u00e4".repeat(many)),
        14 => format!(
            "Parameters: {{P: {{Type: String, AllowedPattern: '{}a{}'}}}}",
            "(".repeat(many),
            "{9})".repeat(many)
        ),
        15 => format!("a: |\n{}", "  x\n\n".repeat(many)),
        _ => (0..many).map(|n| format!("k{n}: v\n")).collect(),
    }
    .into_bytes()
}
