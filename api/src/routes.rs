//! Which paths there are, taken from the OpenAPI document: for `Allow` headers and for metric labels.

use std::sync::Arc;

use metrics::SharedString;

/// A described path.
#[derive(Debug)]
struct Known {
    template: Arc<str>,
    methods: String,
}

/// All described paths.
#[derive(Debug)]
pub(crate) struct Routes {
    known: Vec<Known>,
}

impl Routes {
    /// Reads the paths out of an OpenAPI document.
    pub(crate) fn from_spec(spec: &str) -> Self {
        let document: serde_json::Value = serde_json::from_str(spec).unwrap_or_default();
        let paths = document["paths"].as_object().cloned().unwrap_or_default();
        let known = paths
            .iter()
            .map(|(path, operations)| {
                let methods: Vec<String> = operations
                    .as_object()
                    .map(|operations| operations.keys().map(|method| method.to_ascii_uppercase()).collect())
                    .unwrap_or_default();
                Known { template: path.as_str().into(), methods: methods.join(", ") }
            })
            .collect();
        Self { known }
    }

    /// Methods a path takes, as in an `Allow` header.
    pub(crate) fn allowed(&self, path: &str) -> String {
        self.find(path).map_or_else(|| "GET".to_owned(), |known| known.methods.clone())
    }

    /// The path's template, from a closed list.
    pub(crate) fn label(&self, path: &str) -> SharedString {
        self.find(path)
            .map_or(SharedString::const_str("other"), |known| SharedString::from_shared(Arc::clone(&known.template)))
    }

    fn find(&self, path: &str) -> Option<&Known> {
        self.known.iter().find(|known| matches(&known.template, path))
    }
}

fn matches(template: &str, path: &str) -> bool {
    let mut wanted = template.split('/');
    let mut given = path.split('/');
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(want), Some(have)) if want == have || (want.starts_with('{') && !have.is_empty()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_by_its_template() {
        let routes =
            Routes::from_spec(r#"{"paths":{"/v1/models":{"get":{}},"/v1/models/{id}":{"get":{},"delete":{}}}}"#);
        assert_eq!(&*routes.label("/v1/models/grok-4"), "/v1/models/{id}");
        assert_eq!(&*routes.label("/v1/models/a/b"), "other");
        assert_eq!(routes.allowed("/v1/models/grok-4"), "DELETE, GET");
    }
}
