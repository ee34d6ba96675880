//! As much of a terminal as is needed to see what is left on it when a program has ended.

use std::collections::BTreeMap;

/// A screen without a bottom: nothing scrolls away.
pub struct Terminal {
    width: usize,
    rows: Vec<BTreeMap<usize, (char, String)>>,
    /// Rows that went on in the next one because they were too wide.
    wrapped: Vec<bool>,
    row: usize,
    column: usize,
    style: String,
}

impl Terminal {
    /// Returns an empty screen.
    pub fn new(width: usize) -> Terminal {
        Terminal {
            width,
            rows: vec![BTreeMap::new()],
            wrapped: vec![false],
            row: 0,
            column: 0,
            style: String::new(),
        }
    }

    /// Takes in what a program wrote.
    pub fn feed(&mut self, text: &str) {
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\n' => self.go(self.row + 1),
                '\r' => self.column = 0,
                '\u{8}' => self.column = self.column.saturating_sub(1),
                '\u{1b}' => {
                    if rest.next_if_eq(&'[').is_none() {
                        rest.next();
                        continue;
                    }
                    let mut parameters = String::new();
                    let end = loop {
                        match rest.next() {
                            Some(c) if c.is_ascii_digit() || ";?".contains(c) => parameters.push(c),
                            Some(c) => break c,
                            None => return,
                        }
                    };
                    self.control(&parameters, end);
                }
                c if c.is_control() => {}
                c => self.put(c),
            }
        }
    }

    fn put(&mut self, c: char) {
        if self.column == self.width {
            // Lines are also filled with spaces to get to the next one.
            let last = self.rows[self.row].get(&(self.width - 1));
            self.wrapped[self.row] = last.is_some_and(|(c, _)| *c != ' ');
            self.go(self.row + 1);
            self.column = 0;
        }
        if self.column == 0 {
            self.wrapped[self.row] = false;
        }
        self.rows[self.row].insert(self.column, (c, self.style.clone()));
        self.column += 1;
    }

    fn go(&mut self, row: usize) {
        self.row = row;
        while self.rows.len() <= row {
            self.rows.push(BTreeMap::new());
            self.wrapped.push(false);
        }
    }

    fn control(&mut self, parameters: &str, end: char) {
        let number = parameters.parse::<usize>().unwrap_or(0);
        match end {
            'A' => self.row = self.row.saturating_sub(number.max(1)),
            'B' => self.go(self.row + number.max(1)),
            'C' => self.column = (self.column + number.max(1)).min(self.width),
            'D' => self.column = self.column.saturating_sub(number.max(1)),
            'G' => self.column = number.max(1) - 1,
            'K' => {
                let from = if number == 0 { self.column } else { 0 };
                self.rows[self.row].retain(|column, _| *column < from);
                self.wrapped[self.row] = false;
            }
            'J' => {
                let from = self.column;
                self.rows[self.row].retain(|column, _| *column < from);
                self.rows.truncate(self.row + 1);
                self.wrapped.truncate(self.row + 1);
            }
            'm' if parameters.is_empty() || parameters == "0" => self.style.clear(),
            'm' => self.style.push_str(&format!("␛[{parameters}m")),
            _ => {}
        }
    }

    /// Returns what is seen. A line that was too wide ends in `⏎`.
    pub fn screen(&self) -> String {
        let mut out = String::new();
        for (row, wrapped) in self.rows.iter().zip(&self.wrapped) {
            let mut line = String::new();
            let mut style = "";
            let last = row
                .iter()
                .rev()
                .find(|(_, (c, _))| *c != ' ')
                .map(|(at, _)| *at);
            for column in 0..last.map_or(0, |last| last + 1) {
                let (c, wanted) = row
                    .get(&column)
                    .map_or((' ', ""), |(c, s)| (*c, s.as_str()));
                if wanted != style {
                    if !style.is_empty() {
                        line.push_str("␛[0m");
                    }
                    line.push_str(wanted);
                    style = wanted;
                }
                line.push(c);
            }
            if !style.is_empty() {
                line.push_str("␛[0m");
            }
            if *wrapped {
                line.push('⏎');
            }
            out.push_str(&line);
            out.push('\n');
        }
        format!("{}\n", out.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_drawn_over_is_not_seen() {
        let mut terminal = Terminal::new(8);
        terminal.feed("one\r\n\u{1b}[?25l\u{1b}[1mtwo\u{1b}[0m\r\u{1b}[1A\u{1b}[2Kthree\u{1b}[J\r\n12345678\r\n123456789\r\n");
        assert_eq!(terminal.screen(), "three\n12345678\n12345678⏎\n9\n");
        let mut terminal = Terminal::new(8);
        terminal.feed("a \u{1b}[31mb\u{1b}[0m c");
        assert_eq!(terminal.screen(), "a ␛[31mb␛[0m c\n");
    }
}
