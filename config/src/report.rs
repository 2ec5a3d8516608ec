//! placeholder
/// problem
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// m
    pub message: String,
}
/// report
#[derive(Debug)]
pub struct Report {
    problems: Vec<Problem>,
}
impl Report {
    /// p
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
    /// r
    #[must_use]
    pub fn render(&self, _color: bool) -> String {
        self.to_string()
    }
    pub(crate) fn one(m: String) -> Self {
        Self { problems: vec![Problem { message: m }] }
    }
}
impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for p in &self.problems {
            writeln!(f, "{}", p.message)?;
        }
        Ok(())
    }
}
impl std::error::Error for Report {}
