//! One GET over plain HTTP/1.1, as a wallet's program asks the gateway on this machine.
//!
//! What it leaves to others: what is asked and expected.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::Error;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most bytes of an answer.
const MOST: u64 = 1 << 20;

/// An answer, read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The first cookie that was set, as it is sent back.
    pub(super) cookie: Option<String>,
    pub(super) body: String,
}

/// Asks, with a cookie or without one.
pub(super) async fn get(address: SocketAddr, target: &str, cookie: Option<&str>) -> Result<Answer, Error> {
    let cookie = cookie.map_or_else(String::new, |cookie| format!("cookie: {cookie}\r\n"));
    let request = format!("GET {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{cookie}\r\n");
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut whole = Vec::new();
        stream.take(MOST).read_to_end(&mut whole).await?;
        Ok::<_, io::Error>(whole)
    };
    let unreachable = |reason: String| Error::Unreachable {
        address: address.to_string(),
        reason,
    };
    let whole = match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(Ok(whole)) => whole,
        Ok(Err(fault)) => return Err(unreachable(fault.to_string())),
        Err(_elapsed) => return Err(unreachable("no answer within 20 seconds".to_owned())),
    };
    read(&String::from_utf8_lossy(&whole)).ok_or(Error::Answer("the gateway speaks no HTTP"))
}

fn read(whole: &str) -> Option<Answer> {
    let (head, body) = whole.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let headers = head.lines().filter_map(|line| line.split_once(':'));
    let mut cookies = headers
        .filter(|(name, _value)| name.eq_ignore_ascii_case("set-cookie"))
        .filter_map(|(_name, value)| value.split(';').next());
    Some(Answer {
        status,
        cookie: cookies.next().map(|cookie| cookie.trim().to_owned()),
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Answer, read};

    #[test]
    fn an_answer_is_read_with_its_first_cookie() {
        let whole = "HTTP/1.1 200 OK\r\nSet-Cookie: a=b; HttpOnly\r\nset-cookie: c=d\r\n\r\n{}";
        let answer = Answer {
            status: 200,
            cookie: Some("a=b".to_owned()),
            body: "{}".to_owned(),
        };
        assert_eq!(read(whole), Some(answer));
        for text in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 x\r\n\r\n"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
