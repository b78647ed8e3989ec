//! What a request can be told instead of an answer: a code for programs, a message and a hint for people.

use crate::door::Gone;
use crate::door::StoreError;
use crate::shape::{ErrorBody, ErrorShape};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use grove_core::circle::Denied;
use grove_core::job::Refusal;

/// A request that cannot be done.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    body: Box<ErrorBody>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Problem {
        let (message, hint) = parted(message.into());
        let body = ErrorBody { code: code.to_owned(), message, hint, candidates: Vec::new(), offset: None };
        Problem { status, body: Box::new(body) }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.body.hint = Some(hint.into());
        self
    }

    pub(super) fn candidates(mut self, candidates: Vec<String>) -> Problem {
        self.body.candidates = candidates;
        self
    }

    pub(super) fn offset(mut self, offset: u64) -> Problem {
        self.body.offset = Some(offset);
        self
    }

    pub(super) fn bad(code: &str, message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn no_such_page() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "no_such_page", "there is no such page in this API")
            .hint("version 1 begins at /v1/; docs/guide/api.md lists its pages")
    }

    pub(super) fn wrong_method() -> Problem {
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "this page is not asked in that way")
            .hint("GET looks, POST submits and tells, PUT brings a blob: docs/guide/api.md")
    }

    pub(super) fn too_slow() -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_slow", "the node did not answer in time")
            .hint("ask again; the node may be busy")
    }

    pub(super) fn no_room(why: &StoreError) -> Problem {
        let (why, _) = parted(why.to_string());
        Problem::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", format!("the node waits for room: {why}"))
            .hint("free some space there: then it goes on by itself, and nothing that it accepted is lost")
    }

    pub(super) fn your_share(kept: u64, most: u64) -> Problem {
        let text = crate::amount::bytes_text;
        let message = format!("{} of yours are kept here, of at most {}", text(kept), text(most));
        Problem::new(StatusCode::INSUFFICIENT_STORAGE, "your_share_is_full", message).hint(
            "what finished jobs left goes after a while; whoever looks after the hub can say `keep` and `disk`: `grove config`",
        )
    }

    pub(super) fn no_such_job(name: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "no_such_job", format!("there is no job {name:?}"))
            .hint("`grove jobs` lists them")
    }

    pub(super) fn internal(what: &str, error: &dyn std::fmt::Display) -> Problem {
        tracing::error!("{what}: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("{what}: {error}"))
    }

    #[cfg(test)]
    pub(super) fn code(&self) -> &str {
        &self.body.code
    }
}

/// A message of ours ends in a line `hint: …` when there is something to do.
fn parted(message: String) -> (String, Option<String>) {
    match message.split_once("\nhint: ") {
        Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
        None => (message, None),
    }
}

/// Where nothing better is known.
fn usual_hint(status: StatusCode) -> &'static str {
    if status.is_server_error() {
        "the node's log says more; `grove doctor` looks at this machine"
    } else {
        "docs/guide/api.md says what this page takes"
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Problem { status, mut body } = self;
        body.hint.get_or_insert_with(|| usual_hint(status).to_owned());
        let body = serde_json::to_vec(&ErrorShape { error: *body }).unwrap_or_default();
        (status, [("content-type", "application/json")], body).into_response()
    }
}

impl From<Gone> for Problem {
    fn from(_: Gone) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the node is stopping")
            .hint("start it again with `grove up`; nothing that it accepted is lost")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        let (status, code) = match &error {
            StoreError::NoBlob { .. } => (StatusCode::NOT_FOUND, "no_such_blob"),
            StoreError::WrongBlob { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "wrong_blob"),
            StoreError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            StoreError::Uploading { .. } => (StatusCode::CONFLICT, "uploading"),
            StoreError::OverQuota { .. } | StoreError::LowSpace { .. } => {
                (StatusCode::INSUFFICIENT_STORAGE, "disk_full")
            }
            _ => return Problem::internal("the store", &error),
        };
        Problem::new(status, code, error.to_string())
    }
}

impl From<Denied> for Problem {
    fn from(why: Denied) -> Problem {
        let conflict = |code, message: &str| Problem::new(StatusCode::CONFLICT, code, message);
        match why {
            Denied::NoSuchInvitation => {
                Problem::new(StatusCode::FORBIDDEN, "no_such_invitation", "this invitation lets nobody in (any more)")
                    .hint("it may be used up, expired or revoked: ask for another")
            }
            Denied::NotAllowed => Problem::new(StatusCode::FORBIDDEN, "not_allowed", "this is not yours to do")
                .hint("ask the one who ran `grove up`"),
            Denied::NameTaken => {
                conflict("name_taken", "somebody else has this name here").hint("choose another with --name")
            }
            Denied::WrongName => {
                Problem::bad("wrong_name", "a name has letters, digits, spaces and -_.'").hint("and 128 bytes at most")
            }
            Denied::NodeTaken => conflict("node_taken", "another machine lends under this node's name")
                .hint("remove the folder `lend` in this machine's state folder"),
            Denied::NoSuchThing => Problem::new(StatusCode::NOT_FOUND, "no_such_name", "there is nothing of that name")
                .hint("`grove people` and `grove machines` list them"),
            Denied::TooMany => conflict("too_many", "there are as many as this hub keeps")
                .hint("revoke what nobody needs: `grove revoke`"),
            Denied::NotEnoughCredits { available } => Refusal::NotEnoughCredits { available }.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(why: Refusal) -> Problem {
        let credits = |amount: grove_core::units::Credits| crate::amount::credits_text(i128::from(amount.0));
        let unusable = |code, message: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, message);
        let conflict = |code, message: &str| Problem::new(StatusCode::CONFLICT, code, message);
        let too_many = |code, message: String| Problem::new(StatusCode::TOO_MANY_REQUESTS, code, message);
        match why {
            Refusal::OtherJobOfThatId => conflict("id_taken", "another job has this id")
                .hint("choose the id by chance, and a new one for each job"),
            Refusal::NoInputs => unusable("no_inputs", "the job has no inputs").hint("give some after `:::`"),
            Refusal::TooManyInputs => {
                unusable("too_many_inputs", "the job has too many inputs").hint("submit it as several jobs")
            }
            Refusal::NameTooLong => unusable("name_too_long", "the job's name is too long").hint("128 bytes at most"),
            Refusal::ArgumentsTooLong => unusable("arguments_too_long", "the tool's arguments are too long")
                .hint("64 KiB at most; send more as an input"),
            Refusal::ChunkTooLarge => {
                unusable("wrong_chunk", "a chunk has between 1 and 1048576 items").hint("use `--chunk auto`")
            }
            Refusal::ToolCannotCheck => unusable("tool_cannot_check", "this tool cannot check answers")
                .hint("use `--check spot`, which runs some of the parts again"),
            Refusal::ToolCannotMerge => {
                unusable("tool_cannot_merge", "this tool cannot merge answers").hint("leave `--merge` out")
            }
            Refusal::BudgetTooSmall { least } => {
                Problem::new(StatusCode::PAYMENT_REQUIRED, "budget_too_small", "the budget buys not even one part")
                    .hint(format!("give it {} credits or more", credits(least)))
            }
            Refusal::NotEnoughCredits { available } => Problem::new(
                StatusCode::PAYMENT_REQUIRED,
                "not_enough_credits",
                format!("the budget is more than the {} credits that are available", credits(available)),
            )
            .hint("set a smaller --budget, or lend a machine to earn more: `grove lend`"),
            Refusal::TooManyJobs => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_jobs", "the node keeps as many jobs as it can")
                    .hint("older ones expire; submit fewer, larger jobs")
            }
            Refusal::TooManyOfYours { most } => {
                too_many("too_many_of_yours", format!("{most} jobs of yours run already: nobody may have more"))
                    .hint("wait until some end, cancel some, or submit one job with many inputs")
            }
            Refusal::TooManyInputsOfYours { most } => too_many(
                "too_many_inputs_of_yours",
                format!("your running jobs may have {most} inputs that are kept here, and this would be more"),
            )
            .hint("wait until some jobs end; ranges of numbers do not count"),
            Refusal::TooFast { most } => {
                too_many("too_fast", format!("nobody may submit more than {most} jobs in a minute"))
                    .hint("wait a minute, or submit one job with many inputs")
            }
            Refusal::NoSuchJob => Problem::no_such_job("of that id"),
            Refusal::NotOpen => conflict("not_open", "the job takes no inputs there: it is closed, or has others")
                .hint("only jobs made by `grove run --open` take more, until they are closed"),
        }
    }
}
