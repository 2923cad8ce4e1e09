//! Business profiles and catalogues (`w:biz`, `w:biz:catalog`, `fb:thrift_iq`): there is none.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::router::Request;
use crate::server::api::Server;

impl Server {
    pub(super) fn iq_business(request: &Request<'_>) -> Node {
        if request.is_get && request.child("business_profile").is_some() {
            return request.result([NodeBuilder::new("business_profile").build()]);
        }
        request.not_found()
    }
}
