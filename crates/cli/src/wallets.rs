//! The commands about wallets: the text that one signs is shown, the signature is asked for.
//!
//! What it leaves to others: signing, which the person's own wallet does, and judging it (the server).

use wire::soke::v1::{self, session_service_client::SessionServiceClient};

use crate::{
    Error,
    args::Wallet,
    client::{Client, Surroundings},
    sign_in,
    terminal::{ask, say},
};

/// Does what was asked.
pub(crate) async fn manage(surroundings: &Surroundings, command: Wallet) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let mut sessions = SessionServiceClient::new(client.channel());
    match command {
        Wallet::Add { address, label } => {
            let user_name = sign_in::identity(&client).await?.user_name;
            let (text, signature) = signed(&client, &address, &user_name).await?;
            let message = v1::AddWalletRequest {
                text,
                signature,
                label,
            };
            let answer = client
                .call(message, |request| sessions.add_wallet(request))
                .await?;
            say(format_args!("{} signs in as {user_name}", answer.address))
        }
        Wallet::List => {
            let message = v1::ListWalletsRequest {};
            let answer = client
                .call(message, |request| sessions.list_wallets(request))
                .await?;
            for wallet in answer.wallets {
                say(format_args!("{}  {}", wallet.address, wallet.label))?;
            }
            Ok(())
        }
        Wallet::Remove { address } => {
            let message = v1::RemoveWalletRequest { address };
            client
                .call(message, |request| sessions.remove_wallet(request))
                .await?;
            say("removed")
        }
    }
}

/// Shows the text for a wallet, to sign in or to be linked to a user, and asks for the signature.
pub(crate) async fn signed(
    client: &Client,
    address: &str,
    link_to: &str,
) -> Result<(String, Vec<u8>), Error> {
    let message = v1::CreateWalletTextRequest {
        address: address.to_owned(),
        link_to: link_to.to_owned(),
    };
    let mut sessions = SessionServiceClient::new(client.channel());
    let answer = client
        .call_unsigned(message, |request| sessions.create_wallet_text(request))
        .await?;
    say(&answer.text)?;
    let signature = ask("signature of this text, as the wallet gives it (0x...)")?;
    Ok((answer.text, bytes(signature.trim())?))
}

/// The bytes of `0x` and hex digits.
fn bytes(text: &str) -> Result<Vec<u8>, Error> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let pair = |at: usize| digits.and_then(|digits| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok());
    let length = digits.map_or(0, str::len);
    let bytes: Option<Vec<u8>> = (0..length).step_by(2).map(pair).collect();
    bytes.filter(|bytes| !bytes.is_empty()).ok_or(Error::Usage {
        what: "this is no signature".to_owned(),
        want: "0x and 130 hex digits, as a wallet's personal_sign gives them".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn a_signature_is_hex_behind_0x() {
        assert_eq!(bytes("0x00fF").ok(), Some(vec![0, 255]));
        for bad in ["", "0x", "00ff", "0x0", "0x0g", "0x+1", "0x \u{e9}1"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
