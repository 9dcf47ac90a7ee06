//! The same client for a thread that knows no futures.

use std::error::Error;

use rpc::{Blocking, ChannelArgs, ChannelCredentials, Target};
use wire::hello::{HelloRequest, hello_service_client::HelloServiceClient};

fn greeting(name: &str) -> HelloRequest {
    let greeting = name.to_owned();
    HelloRequest { greeting }
}

/// Makes the four kinds of calls, and gives every reply.
pub(crate) fn greet(server: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let target: Target = server.parse()?;
    let blocking = Blocking::new(&target, &ChannelCredentials::insecure(), ChannelArgs::new())?;
    let mut client = HelloServiceClient::new(blocking.channel());
    let mut replies = Vec::new();

    let reply = blocking.wait(client.say_hello(greeting("Ada")))?;
    replies.push(reply.into_inner().reply);

    let stream = blocking.wait(client.lots_of_replies(greeting("Ben")))?;
    for reply in blocking.answers(stream.into_inner()) {
        replies.push(reply?.reply);
    }

    // Two places: both names fit before anybody takes them. A sender of more stands in a thread of its own.
    let (names, sent) = blocking.requests(2);
    for name in ["Cy", "Dee"] {
        if !names.send(greeting(name)) {
            break;
        }
    }
    // The end of the names. Left without it, they cancel the call.
    names.close();
    let reply = blocking.wait(client.lots_of_greetings(sent))?;
    replies.push(reply.into_inner().reply);

    // One place is enough for a talk in turns.
    let (names, sent) = blocking.requests(1);
    let stream = blocking.wait(client.bidi_hello(sent))?;
    let mut answers = blocking.answers(stream.into_inner());
    for name in ["Eve", "Flo"] {
        if !names.send(greeting(name)) {
            break;
        }
        replies.extend(answers.next().transpose()?.map(|reply| reply.reply));
    }
    Ok(replies)
}
