//! A dialect's listener in front of a service that is played by hand.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use gateway::{
    http_door::{Answer, Door, Endpoint, Forward, Handle, Identity, Parts, Trouble, start},
    proxy::{ByteStream, Limits, Proxy, Reach, Unreachable},
};
use http::{HeaderMap, Response, StatusCode, header, request};
use model::{NodeId, ServiceId, Timestamp, UserId};
use rpc::{ListenAddress, Security};
use tasks::{Policy, Tasks};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;

use crate::support::{Answer as Said, SOON, exchange};

/// The users of the test, by the value of their cookie and bearer.
pub(crate) const USERS: [&str; 2] = ["canary-ada", "canary-ben"];

struct Greeter {
    users: Vec<(UserId, CancellationToken)>,
    endpoint: Endpoint,
    asked: AtomicUsize,
}

impl Door for Greeter {
    fn answer<'a>(&'a self, head: &'a request::Parts) -> BoxFuture<'a, Answer> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let user = USERS.iter().position(|user| has(&head.headers, user));
        let answer = match user {
            None => Answer::Response(said("no session")),
            Some(number) => {
                let (user, revoked) = self.users[number].clone();
                Answer::Forward(Forward {
                    endpoint: self.endpoint,
                    host: None,
                    identity: Identity {
                        user,
                        name: format!("user{number}"),
                    },
                    until: Box::pin(async move { revoked.cancelled().await }),
                })
            }
        };
        Box::pin(std::future::ready(answer))
    }

    fn trouble(&self, trouble: Trouble) -> Response<Body> {
        said(trouble.text())
    }

    fn owns_cookie(&self, name: &str) -> bool {
        name.starts_with("ours_")
    }
}

fn has(headers: &HeaderMap, user: &str) -> bool {
    let is = |name, wanted: String| {
        let mut lines = headers.get_all(name).iter();
        lines.any(|line| line.to_str().is_ok_and(|line| line.contains(&wanted)))
    };
    is(header::COOKIE, format!("ours_{user}={user}")) || is(header::AUTHORIZATION, format!("Bearer {user}"))
}

fn said(text: &str) -> Response<Body> {
    let mut response = Response::new(Body::new(text.to_owned()));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

struct Here;

impl Reach for Here {
    fn reach(&self, endpoint: Endpoint) -> BoxFuture<'_, Result<Box<dyn ByteStream>, Unreachable>> {
        Box::pin(async move {
            match TcpStream::connect(("127.0.0.1", endpoint.port)).await {
                Ok(tcp) => Ok(Box::new(tcp) as Box<dyn ByteStream>),
                Err(error) => Err(Unreachable(error.to_string())),
            }
        })
    }
}

/// The listener, and the service behind it.
pub(crate) struct Bed {
    pub(crate) handle: Handle,
    pub(crate) service: Service,
    revoked: Vec<CancellationToken>,
    greeter: Arc<Greeter>,
    _tasks: Tasks,
}

/// A service whose connections are played by the test.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) port: u16,
    taken: Arc<AtomicUsize>,
    /// The heads of requests, as they came.
    heads: Arc<Mutex<Vec<String>>>,
}

impl Bed {
    pub(crate) async fn open<F, W>(play: F) -> Self
    where
        F: Fn(Line) -> W + Send + Sync + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        Self::with(Limits::default(), play).await
    }

    /// A listener in front of a service each of whose connections is played by `play`.
    pub(crate) async fn with<F, W>(limits: Limits, play: F) -> Self
    where
        F: Fn(Line) -> W + Send + Sync + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let tasks = Tasks::new();
        let service = Service::start(&tasks, play).await;
        let now = Timestamp::from_secs(1);
        let revoked = vec![CancellationToken::new(), CancellationToken::new()];
        let users = revoked.iter().map(|token| (UserId::fresh(now), token.clone()));
        let greeter = Arc::new(Greeter {
            users: users.collect(),
            endpoint: Endpoint {
                node: NodeId::fresh(now),
                service: ServiceId::fresh(now),
                port: service.port,
            },
            asked: AtomicUsize::new(0),
        });
        let handle = start(Parts {
            name: "test",
            listen: ListenAddress::loopback(0),
            security: Security::Plain,
            limits: rpc::Limits::default(),
            door: Arc::clone(&greeter) as Arc<dyn Door>,
            proxy: Proxy::new(Arc::new(Here), limits, &tasks),
            allowed_hosts: vec!["zone.example".to_owned()],
            tasks: tasks.clone(),
        })
        .await
        .unwrap();
        Self {
            handle,
            service,
            revoked,
            greeter,
            _tasks: tasks,
        }
    }

    /// How many requests the dialect has seen.
    pub(crate) fn asked(&self) -> usize {
        self.greeter.asked.load(Ordering::SeqCst)
    }

    /// Ends the right of the first user.
    pub(crate) fn revoke(&self) {
        self.revoked[0].cancel();
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.handle.bound().1).await.unwrap()
    }

    /// Sends a whole request and reads until the listener closes.
    pub(crate) async fn send(&self, request: &str) -> Said {
        exchange(self.tcp().await, request.as_bytes()).await
    }

    /// A connection on which the first user has sent this.
    pub(crate) async fn begin(&self, request: &str) -> Line {
        let mut line = Line::new(self.tcp().await, self.service.clone());
        line.write(request.as_bytes()).await;
        line
    }
}

impl Service {
    async fn start<F, W>(tasks: &Tasks, play: F) -> Self
    where
        F: Fn(Line) -> W + Send + Sync + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Self {
            port: listener.local_addr().unwrap().port(),
            taken: Arc::default(),
            heads: Arc::default(),
        };
        let (owner, shared) = (tasks.clone(), service.clone());
        tasks.spawn("service", Policy::MayEnd, async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                shared.taken.fetch_add(1, Ordering::SeqCst);
                owner.spawn("service", Policy::MayEnd, play(Line::new(tcp, shared.clone())));
            }
        });
        service
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// One connection, by hand.
pub(crate) struct Line {
    pub(crate) tcp: TcpStream,
    ahead: Vec<u8>,
    service: Service,
}

impl Line {
    fn new(tcp: TcpStream, service: Service) -> Self {
        Self {
            tcp,
            ahead: Vec::new(),
            service,
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // The other side may have gone.
        drop(
            timeout(SOON, self.tcp.write_all(bytes))
                .await
                .expect("it is taken"),
        );
    }

    /// Reads up to this, at most 64 KiB before it; nothing where the other side closes before.
    pub(crate) async fn until(&mut self, end: &str) -> Option<String> {
        loop {
            let found = self
                .ahead
                .windows(end.len())
                .position(|some| some == end.as_bytes());
            if let Some(at) = found {
                let rest = self.ahead.split_off(at + end.len());
                let text = std::mem::replace(&mut self.ahead, rest);
                return Some(String::from_utf8_lossy(&text).into_owned());
            }
            assert!(self.ahead.len() < 65_536, "no {end:?} comes");
            if timeout(SOON, self.tcp.read_buf(&mut self.ahead))
                .await
                .expect("something comes")
                .unwrap_or(0)
                == 0
            {
                return None;
            }
        }
    }

    /// Reads the head of a request and keeps it for the test.
    pub(crate) async fn head(&mut self) -> Option<String> {
        let head = self.until("\r\n\r\n").await?;
        self.service.heads.lock().unwrap().push(head.clone());
        Some(head)
    }

    /// Reads until the other side closes; gives what came, in at most this time.
    pub(crate) async fn rest(&mut self, within: Duration) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.ahead);
        // A reset is an end too.
        let read = timeout(within, self.tcp.read_to_end(&mut bytes)).await;
        let ended = read.is_ok();
        assert!(
            ended,
            "the other side does not close: {:?}",
            String::from_utf8_lossy(&bytes)
        );
        bytes
    }
}

/// A service that answers each request with these bytes and keeps the connection.
pub(crate) async fn always(mut line: Line, answer: &'static str) {
    while line.head().await.is_some() {
        line.write(answer.as_bytes()).await;
    }
}

/// A request of the first user that closes its connection.
pub(crate) fn asks(method: &str, target: &str, more: &str) -> String {
    format!(
        "{method} {target} HTTP/1.1\r\nhost: zone.example\r\ncookie: a=b; ours_canary-ada=canary-ada; c=d\r\n\
         connection: close\r\n{more}\r\n"
    )
}
