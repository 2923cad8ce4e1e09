//! GraphQL requests (`w:mex`) whose refusals can be told apart.
//!
//! The library gives only the text of a refusal; here its code is kept.

use serde::Serialize;
use serde_json::Value;
use whatsapp_rust::Client;
use whatsapp_rust::anyhow::{self, anyhow};
use whatsapp_rust::wacore::iq::mex::{MexDoc, MexQuerySpec, MexResponse};
use whatsapp_rust::wacore::iq::spec::IqSpec;
use whatsapp_rust::wacore::request::InfoQuery;
use whatsapp_rust::wacore_binary::{NodeContentRef, NodeRef};

use super::actions::request_error;
use crate::RequestError;

/// A persisted operation, by the module of `wacore::iq::mex_operations` that has its number.
macro_rules! operation {
    ($name:ident) => {{
        use whatsapp_rust::wacore::iq::mex_operations::$name as named;
        whatsapp_rust::wacore::iq::mex::MexDoc {
            name: named::NAME,
            id: named::DOC_ID,
        }
    }};
}

pub(super) use operation;

struct Operation(MexQuerySpec);

impl IqSpec for Operation {
    type Response = MexResponse;

    fn build_iq(&self) -> InfoQuery<'static> {
        self.0.build_iq()
    }

    fn parse_response(&self, response: &NodeRef<'_>) -> Result<MexResponse, anyhow::Error> {
        let result = response.get_optional_child("result");
        match result.and_then(|result| result.content.as_ref()) {
            Some(NodeContentRef::Bytes(bytes)) => Ok(serde_json::from_slice(bytes)?),
            Some(NodeContentRef::String(text)) => Ok(serde_json::from_str(text)?),
            _ => Err(anyhow!("the answer has no result")),
        }
    }
}

/// Asks, and gives the answer's `field`.
///
/// Fails with code 404 where that is null.
pub(super) async fn ask(
    client: &Client,
    operation: MexDoc,
    variables: &impl Serialize,
    field: &str,
) -> Result<Value, RequestError> {
    if !client.is_logged_in() {
        return Err(RequestError::NotConnected);
    }
    let spec = MexQuerySpec::new(operation, variables).map_err(|_| RequestError::Failed)?;
    let answer = client.execute(Operation(spec)).await;
    let mut answer = answer.map_err(|error| request_error(&error))?;
    if let Some(fatal) = answer.fatal_error() {
        let code = fatal.error_code().and_then(|code| u16::try_from(code).ok());
        tracing::debug!(
            operation = operation.name,
            code,
            "WhatsApp refused an operation"
        );
        return Err(code.map_or(RequestError::Failed, |code| RequestError::Refused { code }));
    }
    let data = answer.data.as_mut();
    match data.map(|data| data[field].take()) {
        Some(Value::Null) | None => Err(RequestError::Refused { code: 404 }),
        Some(value) => Ok(value),
    }
}
