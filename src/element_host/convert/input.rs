//! Domain to WIT: borrowed views, so that a page is copied once, into the guest.
//! Must not change a value on the way: what an element is given is what the continuation holds.

use serde_json::Value;

use crate::domain::run::{DateFields, Operation, Response, Run, Window};

use super::super::bindings::tidegate::element::types as wit;

/// A run with what WIT wants in another form than the domain has it.
pub(in super::super) struct RunInput<'a> {
    run: &'a Run,
    configuration: Vec<u8>,
    filter: Option<Vec<u8>>,
    parameters: Vec<wit::Parameter<'a>>,
    created: Vec<&'a str>,
    updated: Vec<&'a str>,
}

impl<'a> RunInput<'a> {
    pub(in super::super) fn new(run: &'a Run) -> Self {
        let mut input = Self {
            run,
            configuration: json(&run.configuration),
            filter: None,
            parameters: Vec::new(),
            created: Vec::new(),
            updated: Vec::new(),
        };
        match &run.operation {
            Operation::List(list) => {
                input.filter = list.filter.as_ref().map(json);
                input.parameters = list
                    .parameters
                    .iter()
                    .map(|(name, value)| wit::Parameter { name, value })
                    .collect();
                input.set_dates(&list.dates);
            }
            Operation::Get(get) => input.set_dates(&get.dates),
            Operation::Check | Operation::Sweep(_) => {}
        }
        input
    }

    fn set_dates(&mut self, dates: &'a DateFields) {
        self.created = dates.created.iter().map(String::as_str).collect();
        self.updated = dates.updated.iter().map(String::as_str).collect();
    }

    pub(in super::super) fn as_wit(&self) -> wit::Run<'_> {
        wit::Run {
            operation: self.operation(),
            configuration: &self.configuration,
            memo: self.run.memo.as_deref(),
            now_ms: self.run.now.as_ms(),
        }
    }

    fn operation(&self) -> wit::Operation<'_> {
        let dates = wit::DateFields {
            created: &self.created,
            updated: &self.updated,
        };
        match &self.run.operation {
            Operation::Check => wit::Operation::Check,
            Operation::List(list) => wit::Operation::List(wit::ListArgs {
                resource: &list.resource,
                window: list.window.map(window),
                filter: self.filter.as_deref(),
                parameters: &self.parameters,
                id_field: &list.id_field,
                dates,
                page_size: list.page_size,
                checkpoint: list.checkpoint.as_deref(),
            }),
            Operation::Get(get) => wit::Operation::Get(wit::GetArgs {
                resource: &get.resource,
                id: &get.id,
                id_field: &get.id_field,
                dates,
            }),
            Operation::Sweep(sweep) => wit::Operation::Sweep(wit::SweepArgs {
                resource: &sweep.resource,
                id_field: &sweep.id_field,
                page_size: sweep.page_size,
            }),
        }
    }
}

fn window(window: Window) -> wit::Window {
    wit::Window {
        from_ms: window.from.as_ms(),
        until_ms: window.until.map(|until| until.as_ms()),
    }
}

fn json(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a JSON value has text for keys, and a Vec takes every byte")
}

/// Responses with their headers in WIT's form.
pub(in super::super) struct ResponsesInput<'a> {
    responses: &'a [Response],
    headers: Vec<Vec<wit::HeaderParam<'a>>>,
}

impl<'a> ResponsesInput<'a> {
    pub(in super::super) fn new(responses: &'a [Response]) -> Self {
        let headers = responses
            .iter()
            .map(|response| {
                response
                    .headers
                    .iter()
                    .map(|(name, value)| wit::HeaderParam { name, value })
                    .collect()
            })
            .collect();
        Self { responses, headers }
    }

    pub(in super::super) fn as_wit(&self) -> Vec<wit::Response<'_>> {
        self.responses
            .iter()
            .zip(&self.headers)
            .map(|(response, headers)| wit::Response {
                id: response.id,
                status: response.status,
                headers,
                body: &response.body,
            })
            .collect()
    }
}
