//! A set of gRPC services behind the rules that hold for every call.
//!
//! What it leaves to others: which services there are, and who may call them. Steps, in order: method and
//! content type, path grammar, deadline, compression, message limit, who calls (`guard`), handler, trailers; a panic in
//! a handler is answered INTERNAL.

use std::{
    convert::Infallible,
    fmt,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures::FutureExt as _;
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body as _;
use model::ErrorKind;
use tasks::Clock;
use tonic::{body::Body, metadata::MetadataMap, service::Routes};
use tower::Service;

use crate::{
    Authenticator, Call, CallCredentials, CallLimits, Deadline, Json, RequestId,
    body::Incoming,
    call::Watched,
    form::Form,
    framing::Messages,
    guard::Guard,
    gzip::{self, Encoding},
    held::{Allowance, Full, Part},
    json::{self, Translated, Translator},
    path,
    reply::{Handler, Running},
    unpacker::Unpacker,
};

/// The most bytes of a call's path in log lines.
const LOGGED: usize = 128;

/// gRPC services with deadline, limits and path rules around them; given to [`crate::serve()`] or to `gateway`.
#[derive(Clone)]
pub struct Calls {
    routes: Routes,
    limits: CallLimits,
    allowance: Allowance,
    places: Allowance,
    unpacker: Unpacker,
    clock: Clock,
    json: Option<Json>,
    /// What is asked and said before a handler begins; nothing where nothing is.
    before: Option<Arc<Before>>,
}

/// What happens between the head of a call and its handler.
#[derive(Clone, Default)]
struct Before {
    guard: Guard,
    greeting: Option<Arc<Greet>>,
}

type Greet = dyn Fn(&Call, &MetadataMap) -> Option<MetadataMap> + Send + Sync;

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What the head of a request says.
struct Head {
    deadline: Option<Deadline>,
    packed: bool,
    form: Form,
    place: Part,
}

impl Calls {
    /// Puts the rules around `routes`.
    #[must_use]
    pub fn new(routes: Routes, limits: CallLimits) -> Self {
        Self {
            routes: routes.prepare(),
            allowance: Allowance::new(limits.arriving_bytes),
            places: Allowance::new(limits.running),
            unpacker: Unpacker::default(),
            limits,
            clock: Clock::system(),
            json: None,
            before: None,
        }
    }

    /// Sends initial metadata at the head of a call, before any message of the request is waited for.
    ///
    /// `greeting` sees the call and the caller's metadata. Where it gives metadata, that is sent at once, and
    /// metadata that the handler's response carries is not sent any more.
    #[must_use]
    pub fn with_greeting(
        self,
        greeting: impl Fn(&Call, &MetadataMap) -> Option<MetadataMap> + Send + Sync + 'static,
    ) -> Self {
        self.with(|before| before.greeting = Some(Arc::new(greeting)))
    }

    /// Asks this about every call before any message of it is read. Whom it gives is found by handlers among the
    /// extensions of their request; whom it refuses reaches none.
    #[must_use]
    pub fn with_authenticator(self, authenticator: impl Authenticator) -> Self {
        self.with(|before| before.guard.set_authenticator(authenticator))
    }

    /// Has these credentials go along with every answer, in its initial metadata: what a caller's call credentials are,
    /// the other way. They are asked for each call before its handler. A call over a connection that is less safe than
    /// they need is refused with UNAUTHENTICATED, and nothing of them is sent. Several may be given; all are sent.
    #[must_use]
    pub fn with_credentials(self, credentials: impl CallCredentials + 'static) -> Self {
        self.with(|before| before.guard.add_credentials(credentials))
    }

    /// Takes calls in JSON too, with the content type `application/grpc+json`. Without this they are refused.
    #[must_use]
    pub fn with_json(mut self, json: Json) -> Self {
        self.json = Some(json);
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Before)) -> Self {
        let mut before = self
            .before
            .take()
            .map_or_else(Before::default, Arc::unwrap_or_clone);
        change(&mut before);
        self.before = Some(Arc::new(before));
        self
    }

    /// Checks what can be known from the head of a request.
    fn check(&self, request: &Request<Body>) -> Result<Head, Box<Response<Body>>> {
        if request.method() != Method::POST {
            return Err(Box::new(plain(StatusCode::METHOD_NOT_ALLOWED)));
        }
        let form = match Form::of(request.headers()) {
            Some(Form::Proto) => Form::Proto,
            Some(Form::Json) if self.json.is_some() => Form::Json,
            Some(Form::Json) | None => return Err(Box::new(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE))),
        };
        let asked = request.uri().path_and_query().map_or("", |asked| asked.as_str());
        if !path::names_a_method(asked) {
            return Err(refusal(ErrorKind::Unimplemented, "the path names no method"));
        }
        if form == Form::Json
            && let Some(json) = &self.json
            && json.method(request.uri().path()).is_none()
        {
            let text = "this method is not known in JSON: call it with the content type application/grpc";
            return Err(refusal(ErrorKind::Unimplemented, text));
        }
        let packed = match gzip::encoding(request.headers()) {
            Encoding::Identity => false,
            Encoding::Gzip => true,
            Encoding::Other => return Err(unknown_encoding()),
        };
        let deadline = Deadline::of(request.headers(), &self.clock);
        let deadline = deadline.map_err(|fault| refusal(ErrorKind::Invalid, fault))?;
        let place = self.places.part(1).map_err(|Full| {
            let text = "too many calls run at this moment: make it again later";
            refusal(ErrorKind::Exhausted, text)
        })?;
        Ok(Head {
            deadline,
            packed,
            form,
            place,
        })
    }
}

fn refusal(kind: ErrorKind, text: &str) -> Box<Response<Body>> {
    Box::new(wire::status(kind, text).into_http())
}

fn unknown_encoding() -> Box<Response<Body>> {
    let mut response = refusal(
        ErrorKind::Unimplemented,
        "grpc-encoding names a compression that is not gzip",
    );
    response.headers_mut().insert(gzip::ACCEPT, gzip::UNDERSTOOD);
    response
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

impl Service<Request<Body>> for Calls {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Answering {
        let id = RequestId::fresh();
        request.extensions_mut().insert(id.clone());
        // A path is the caller's to choose and may be long.
        let path = request.uri().path();
        let method = path.get(..LOGGED).unwrap_or(path);
        let span = tracing::info_span!("call", request_id = id.as_str(), method);
        let step = match self.check(&request) {
            Ok(head) => Step::Running(span.in_scope(|| self.begin(request, head))),
            Err(refusal) => Step::Refused(refusal),
        };
        let step = Some(step);
        Answering { step, id, span }
    }
}

impl Calls {
    fn begin(&self, mut request: Request<Body>, head: Head) -> Running {
        let call = Call::new(request.uri().path_and_query().cloned(), head.deadline.clone());
        let gzip = gzip::is_accepted(request.headers());
        // Messages come out unpacked.
        request.headers_mut().remove(gzip::ENCODING);
        request.extensions_mut().insert(call.clone());
        if let Some(deadline) = head.deadline {
            request.extensions_mut().insert(deadline);
        }
        let limits = &self.limits;
        let most = limits.message_bytes;
        let messages = Messages::new(most, head.packed, self.allowance.clone());
        let watching = call.clone();
        let unpacker = self.unpacker.clone();
        let incoming = |body| Incoming::new(body, limits, messages, unpacker, watching);
        let mut request = request.map(|body| Body::new(incoming(body)));
        let mut answered = None;
        if head.form == Form::Json
            && let Some(json) = &self.json
            && let Some(method) = json.method(call.method()).cloned()
        {
            let translator = Translator::from_json(method.asked, most);
            request = request.map(|body| Translated::body(body, translator, json::Fault::Error));
            answered = Some(Translator::to_json(method.answered));
        }
        let mut routes = self.routes.clone();
        let work: Handler = match (&self.before, answered) {
            // Nothing between: the handler's own future, unmoved.
            (None, None) => Box::pin(AssertUnwindSafe(routes.call(request)).catch_unwind().map(settled)),
            (before, answered) => Box::pin(answer(routes, request, before.clone(), call.clone(), answered)),
        };
        Running::new(work, Watched::new(call, head.place), gzip, head.form)
    }
}

/// The answer to a call, on its way.
pub struct Answering {
    step: Option<Step>,
    id: RequestId,
    span: tracing::Span,
}

enum Step {
    Refused(Box<Response<Body>>),
    Running(Running),
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answering = &mut *self;
        let _entered = answering.span.enter();
        let begun = match &mut answering.step {
            Some(Step::Running(running)) => Some(ready!(running.poll_begun(cx))),
            Some(Step::Refused(_)) | None => None,
        };
        let mut response = match (answering.step.take(), begun) {
            (Some(Step::Running(running)), Some(begun)) => running.respond(begun),
            (Some(Step::Refused(response)), _) => *response,
            (Some(Step::Running(_)) | None, _) => return Poll::Pending,
        };
        answering.id.tell(response.headers_mut());
        Poll::Ready(Ok(response))
    }
}

/// What became of a handler: its answer, or INTERNAL where it panicked.
fn settled(handled: std::thread::Result<Result<Response<Body>, Infallible>>) -> Response<Body> {
    match handled {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_panic) => {
            tracing::error!("a handler panicked");
            wire::status(ErrorKind::Internal, "").into_http()
        }
    }
}

async fn answer(
    routes: Routes,
    request: Request<Body>,
    before: Option<Arc<Before>>,
    call: Call,
    translator: Option<Translator>,
) -> Response<Body> {
    let handled = async {
        match before {
            None => handle(routes, request).await,
            Some(before) => before.handle(routes, request, &call).await,
        }
    };
    let handled = AssertUnwindSafe(handled).catch_unwind().await;
    let mut response = settled(handled.map(Ok));
    let Some(translator) = translator else {
        return response;
    };
    response
        .headers_mut()
        .insert(CONTENT_TYPE, Form::Json.content_type());
    if response.body().is_end_stream() {
        return response;
    }
    response.map(|body| Translated::body(body, translator, json::Fault::Trailers))
}

async fn handle(mut routes: Routes, request: Request<Body>) -> Response<Body> {
    match routes.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

impl Before {
    async fn handle(&self, routes: Routes, mut request: Request<Body>, call: &Call) -> Response<Body> {
        if !self.guard.is_open()
            && let Err(status) = self.guard.admit(&mut request, call).await
        {
            return status.into_http();
        }
        if let Some(greeting) = &self.greeting {
            let metadata = MetadataMap::from_headers(std::mem::take(request.headers_mut()));
            if let Some(early) = greeting(call, &metadata) {
                call.send_initial_metadata(early);
            }
            *request.headers_mut() = metadata.into_headers();
        }
        handle(routes, request).await
    }
}
