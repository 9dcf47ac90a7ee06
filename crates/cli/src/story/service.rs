//! The service of the first run: a page that greets whoever asks, reached through the gateway and refused without a session.
//!
//! The gateway is asked as any wallet's program asks it, at Grid's door. What it leaves to others: running the service, and
//! who may reach it (the zone).

use std::{net::SocketAddr, path::Path, time::Duration};

use wire::soke::v1::{self, ServiceState, service_service_client::ServiceServiceClient};

use super::{
    door, fact,
    person::{self, Person},
};
use crate::{Error, place::Listeners, services::settled};

/// How long the service may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A page in the Perl that every Debian has. The gateway says who asks.
const MANIFEST: &str = r#"kind: Process
name: hello
command: |
  #!/usr/bin/perl
  use strict;
  use Socket;
  socket(my $door, PF_INET, SOCK_STREAM, 0) or die $!;
  setsockopt($door, SOL_SOCKET, SO_REUSEADDR, 1);
  bind($door, sockaddr_in($ENV{PORT}, INADDR_LOOPBACK)) or die $!;
  listen($door, 16) or die $!;
  while (1) {
      accept(my $client, $door) or next;
      my $who = 'whoever asks';
      while (my $line = <$client>) {
          $who = $1 if $line =~ /^x-soke-user: *([a-z0-9-]+)/i;
          last if $line =~ /^\r?\n$/;
      }
      my $page = "hello $who, this is $ENV{SOKE_SERVICE_NODE}\n";
      my $head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n";
      syswrite($client, $head . 'Content-Length: ' . length($page) . "\r\n\r\n" . $page);
      close($client);
  }
"#;

/// Deploys the service on a machine and asks for its page, with the wallet's session and without one. A zone for trying
/// clients out reaches no services.
pub(super) async fn deploy(person: &Person, node: &str, data: &Path, test: bool) -> Result<(), Error> {
    let client = &person.client;
    let mut services = ServiceServiceClient::new(client.channel());
    let message = v1::DeployServiceRequest {
        manifest: MANIFEST.to_owned(),
        node: node.to_owned(),
    };
    let answer = client
        .call(message, |request| services.deploy_service(request))
        .await?;
    let deployed = answer
        .service
        .ok_or(Error::Answer("a deployed service without a record"))?;
    let service = settled(client, &deployed.service_id, PATIENCE).await?;
    let (name, place) = (&service.name, &service.node_name);
    if service.state() != ServiceState::Ready {
        fact(
            format_args!("service {name}"),
            format_args!("on {place}: {}", service.reason),
        )?;
        return Err(Error::Answer("the first service is not ready"));
    }
    if test {
        return fact(format_args!("service {name}"), format_args!("ready on {place}"));
    }
    let listeners = Listeners::read(data)?;
    let gateway = listeners.listeners.iter().find(|one| one.name == "grid.http");
    let gateway = gateway.ok_or(Error::Answer("run/listeners.json names no gateway"))?;
    let page = reach(person, gateway.address).await?;
    fact(
        format_args!("service {name}"),
        format_args!(
            "http://{} says \"{page}\"; refused without a session",
            gateway.address
        ),
    )
}

/// Asks the gateway for the page.
async fn reach(person: &Person, gateway: SocketAddr) -> Result<String, Error> {
    let refused = door::get(gateway, "/", None).await?;
    if refused.status != 400 {
        return Err(Error::Answer("the gateway lets in who shows no session"));
    }
    let address = &person.wallet.address;
    door::get(gateway, &format!("/greet?type=1&input={address}"), None).await?;
    let time = jiff::Timestamp::now().as_second().to_string();
    let signature = person.wallet.sign(&time);
    let proof = format!(
        "/greet?type=2&input={time}&addr={address}&sig=0x{}",
        hex::encode(signature)
    );
    let greeted = door::get(gateway, &proof, None).await?;
    let cookie = greeted
        .cookie
        .ok_or(Error::Answer("the gateway gives the wallet no session"))?;
    let answer = door::get(gateway, "/", Some(&cookie)).await?;
    let page = answer.body.trim();
    if answer.status != 200 || !page.contains(&format!("hello {}", person::NAME)) {
        return Err(Error::Answer("the service does not answer through the gateway"));
    }
    Ok(page.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
        process::{Command, Stdio},
        time::Duration,
    };

    use super::MANIFEST;

    #[test]
    fn the_page_of_the_first_service_greets_whoever_the_gateway_names() {
        let lines = MANIFEST.lines().skip_while(|line| *line != "command: |").skip(1);
        let script: String = lines
            .map(|line| format!("{}\n", line.strip_prefix("  ").expect("indented")))
            .collect();
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = port.expect("a free port").port();
        let mut perl = Command::new("perl")
            .args(["-e", &script])
            .env("PORT", port.to_string())
            .env("SOKE_SERVICE_NODE", "second")
            .stderr(Stdio::inherit())
            .spawn()
            .expect("perl");
        let mut stream = None;
        testbed::eventually_blocking(Duration::from_secs(30), || {
            stream = TcpStream::connect(("127.0.0.1", port)).ok();
            stream.is_some()
        });
        let mut stream = stream.expect("it listens");
        write!(stream, "GET / HTTP/1.1\r\nhost: x\r\nX-Soke-User: ada\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        perl.kill().expect("our child");
        perl.wait().expect("our child");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.ends_with("\r\n\r\nhello ada, this is second\n"),
            "{answer}"
        );
    }
}
