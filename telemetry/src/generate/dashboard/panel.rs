//! Panels, and where they stand: in rows of 24 columns.

use serde_json::{Map, Value, json};

use super::query::datasource;

/// One query of a panel.
pub(super) struct Target {
    expr: String,
    legend: String,
    format: &'static str,
    instant: bool,
    exemplar: bool,
}

/// Over time.
pub(super) fn target(expr: impl Into<String>, legend: &str) -> Target {
    Target {
        expr: expr.into(),
        legend: legend.to_owned(),
        format: "time_series",
        instant: false,
        exemplar: false,
    }
}

/// Now, for a table or a single number.
pub(super) fn now(expr: impl Into<String>, legend: &str) -> Target {
    Target { instant: true, ..target(expr, legend) }
}

impl Target {
    /// With points of single requests that have a trace.
    pub(super) fn with_exemplars(self) -> Self {
        Self { exemplar: true, ..self }
    }

    fn json(&self, at: usize, format: &str) -> Value {
        let letter = char::from(b'A' + u8::try_from(at).unwrap_or(25).min(25)).to_string();
        json!({
            "refId": letter, "datasource": datasource(), "editorMode": "code", "expr": self.expr, "format": format,
            "instant": self.instant, "range": !self.instant, "legendFormat": self.legend, "exemplar": self.exemplar,
        })
    }
}

/// A panel without its place.
pub(super) struct Panel {
    kind: &'static str,
    title: String,
    description: String,
    unit: &'static str,
    targets: Vec<Target>,
    width: u32,
    height: u32,
    more: Map<String, Value>,
    /// Fields of `fieldConfig.defaults`.
    defaults: Map<String, Value>,
    overrides: Vec<Value>,
    format: &'static str,
}

/// Lines over time.
pub(super) fn lines(title: &str, unit: &'static str, description: &str, targets: Vec<Target>) -> Panel {
    let mut panel = Panel::new("timeseries", title, unit, description, targets);
    panel.set("options", json!({
        "legend": { "calcs": ["mean", "max"], "displayMode": "table", "placement": "bottom", "showLegend": true },
        "tooltip": { "mode": "multi", "sort": "desc" },
    }));
    panel.default(
        "custom",
        json!({
            "drawStyle": "line", "fillOpacity": 10, "lineWidth": 1, "showPoints": "never", "spanNulls": false,
            "stacking": { "group": "A", "mode": "none" },
        }),
    );
    panel.overrides = quantile_colours();
    panel
}

/// One number.
pub(super) fn stat(title: &str, unit: &'static str, description: &str, expr: String) -> Panel {
    let mut panel = Panel::new("stat", title, unit, description, vec![now(expr, "")]);
    panel.set(
        "options",
        json!({
            "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto",
            "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false }, "textMode": "auto",
        }),
    );
    (panel.width, panel.height) = (4, 4);
    panel
}

/// How often which duration, over time.
pub(super) fn heatmap(title: &str, description: &str, classic: String, native: String) -> Panel {
    let mut panel =
        Panel::new("heatmap", title, "s", description, vec![target(classic, "{{le}}"), target(native, "")]);
    panel.format = "heatmap";
    panel.set("options", json!({
        "calculate": false, "cellGap": 1, "color": { "exponent": 0.5, "mode": "scheme", "scheme": "Turbo", "steps": 64 },
        "exemplars": { "color": "rgba(255,0,255,0.7)" }, "filterValues": { "le": 1e-9 }, "legend": { "show": true },
        "rowsFrame": { "layout": "auto" }, "showValue": "never", "tooltip": { "mode": "single", "yHistogram": true },
        "yAxis": { "axisPlacement": "left", "reverse": false, "unit": "s" },
    }));
    panel
}

/// A table: one row for each model, one column for each query.
pub(super) fn table(
    title: &str,
    description: &str,
    columns: &[(&str, &'static str, Target)],
    keys: &[&str],
) -> Panel {
    let targets = columns
        .iter()
        .map(|(.., target)| Target {
            expr: target.expr.clone(),
            legend: String::new(),
            format: "table",
            instant: true,
            exemplar: false,
        })
        .collect();
    let mut panel = Panel::new("table", title, "short", description, targets);
    panel.format = "table";
    let mut names = Map::new();
    for (at, (name, ..)) in columns.iter().enumerate() {
        let letter = char::from(b'A' + u8::try_from(at).unwrap_or(25));
        names.insert(format!("Value #{letter}"), Value::from(*name));
    }
    let order: Map<String, Value> =
        keys.iter().enumerate().map(|(at, key)| ((*key).to_owned(), at.into())).collect();
    panel.set("transformations", json!([
        { "id": "merge", "options": {} },
        { "id": "organize", "options": { "excludeByName": { "Time": true }, "indexByName": order, "renameByName": names } },
    ]));
    panel.set("options", json!({ "cellHeight": "sm", "footer": { "show": false }, "showHeader": true, "sortBy": [{ "desc": true, "displayName": columns.first().map_or("", |(name, ..)| name) }] }));
    for (name, unit, _) in columns {
        panel.overrides.push(json!({ "matcher": { "id": "byName", "options": name }, "properties": [{ "id": "unit", "value": unit }] }));
    }
    (panel.width, panel.height) = (24, 14);
    panel
}

/// A row of coloured cells over time for each model.
pub(super) fn history(title: &str, unit: &'static str, description: &str, targets: Vec<Target>) -> Panel {
    let mut panel = Panel::new("status-history", title, unit, description, targets);
    panel.set(
        "options",
        json!({
            "colWidth": 0.9, "legend": { "displayMode": "list", "placement": "bottom", "showLegend": false },
            "rowHeight": 0.9, "showValue": "never", "tooltip": { "mode": "single", "sort": "none" },
        }),
    );
    panel.default("color", json!({ "mode": "continuous-GrYlRd" }));
    panel.default("custom", json!({ "fillOpacity": 80, "lineWidth": 0 }));
    (panel.width, panel.height) = (24, 14);
    panel
}

impl Panel {
    fn new(
        kind: &'static str,
        title: &str,
        unit: &'static str,
        description: &str,
        targets: Vec<Target>,
    ) -> Self {
        Self {
            kind,
            title: title.to_owned(),
            description: description.to_owned(),
            unit,
            targets,
            width: 12,
            height: 8,
            more: Map::new(),
            defaults: Map::new(),
            overrides: Vec::new(),
            format: "time_series",
        }
    }

    fn set(&mut self, key: &str, value: Value) {
        self.more.insert(key.to_owned(), value);
    }

    fn default(&mut self, key: &str, value: Value) {
        self.defaults.insert(key.to_owned(), value);
    }

    /// So many of 24 columns.
    pub(super) fn width(mut self, width: u32) -> Self {
        self.width = width;
        self
    }

    /// Colours from these values on; the first colour is that below.
    pub(super) fn thresholds(mut self, steps: &[(Option<f64>, &str)]) -> Self {
        let steps: Vec<Value> =
            steps.iter().map(|(value, color)| json!({ "color": color, "value": value })).collect();
        self.default("thresholds", json!({ "mode": "absolute", "steps": steps }));
        self
    }

    /// Between these.
    pub(super) fn range(mut self, min: f64, max: f64) -> Self {
        self.default("min", min.into());
        self.default("max", max.into());
        self
    }

    /// One upon the other.
    pub(super) fn stacked(mut self) -> Self {
        if let Some(stacking) = self.defaults.get_mut("custom").and_then(|custom| custom.get_mut("stacking"))
        {
            *stacking = json!({ "group": "A", "mode": "normal" });
        }
        self
    }

    /// A click on the column leads to that dashboard, with what stands in the row.
    pub(super) fn link(mut self, column: &str, title: &str, url: &str) -> Self {
        self.overrides.push(json!({
            "matcher": { "id": "byName", "options": column },
            "properties": [{ "id": "links", "value": [{ "title": title, "url": url }] }],
        }));
        self
    }

    fn json(mut self, id: u32, (x, y): (u32, u32)) -> Value {
        self.defaults.insert("unit".to_owned(), self.unit.into());
        self.defaults.insert("noValue".to_owned(), "No traffic".into());
        let targets: Vec<Value> = self
            .targets
            .iter()
            .enumerate()
            .map(|(at, target)| {
                let format = if self.format == "time_series" { target.format } else { self.format };
                target.json(at, format)
            })
            .collect();
        let mut panel = json!({
            "id": id, "type": self.kind, "title": self.title, "description": self.description, "datasource": datasource(),
            "gridPos": { "h": self.height, "w": self.width, "x": x, "y": y },
            "fieldConfig": { "defaults": self.defaults, "overrides": self.overrides },
            "targets": targets,
        });
        if let Some(panel) = panel.as_object_mut() {
            panel.append(&mut self.more);
        }
        panel
    }
}

fn quantile_colours() -> Vec<Value> {
    let colours = [("p50", "green"), ("p95", "orange"), ("p99", "red"), ("hot", "blue"), ("cold", "purple")];
    let of = |(name, color): (&str, &str)| {
        json!({
            "matcher": { "id": "byName", "options": name },
            "properties": [{ "id": "color", "value": { "fixedColor": color, "mode": "fixed" } }],
        })
    };
    colours.map(of).into()
}

/// Rows with headings.
#[derive(Default)]
pub(super) struct Layout {
    rows: Vec<(String, Vec<Panel>)>,
}

impl Layout {
    /// One more row.
    pub(super) fn row(mut self, title: &str, panels: Vec<Panel>) -> Self {
        self.rows.push((title.to_owned(), panels));
        self
    }

    pub(super) fn panels(self) -> Vec<Value> {
        let (mut all, mut y, mut id) = (Vec::new(), 0, 0);
        for (title, panels) in self.rows {
            id += 1;
            all.push(json!({ "id": id, "type": "row", "title": title, "collapsed": false, "panels": [], "gridPos": { "h": 1, "w": 24, "x": 0, "y": y } }));
            y += 1;
            let (mut x, mut tallest) = (0, 0);
            for panel in panels {
                if x + panel.width > 24 {
                    (x, y, tallest) = (0, y + tallest, 0);
                }
                let (width, height) = (panel.width, panel.height);
                id += 1;
                all.push(panel.json(id, (x, y)));
                x += width;
                tallest = tallest.max(height);
            }
            y += tallest;
        }
        all
    }
}
