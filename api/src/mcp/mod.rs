//! `/mcp`: the Model Context Protocol, for assistants that call tools.
//!
//! Each tool is one call of the client API, made within this process with the key and from the address of who asked: so
//! keys, their terms, limits and the request log count there as anywhere.

mod call;
mod endpoint;
mod tools;

pub(crate) use endpoint::McpEndpoint;
