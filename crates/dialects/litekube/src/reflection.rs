//! What the services tell of themselves to tools such as grpcurl: gRPC reflection, v1alpha as LiteKube has it, and v1.
//!
//! The description is the one that this program was built with, and for the numbering of April 2022 a changed one. What
//! it leaves to others: the messages themselves (`wire`, `numbering`).

use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use tonic::service::RoutesBuilder;
use tonic_reflection::server::Builder;

use crate::{Error, Numbering};

/// The fields of the answer of GetToken in April 2022, in their order, with the names that JSON gives them: those that
/// the document prints.
const GET_TOKEN: [(&str, &str); 9] = [
    ("code", "code"),
    ("message", "message"),
    ("token", "token"),
    ("GrpcCaCert", "grpcCaCert"),
    ("GrpcClientKey", "grpcClientKey"),
    ("GrpcClientCert", "grpcClientCert"),
    ("NetworkCaCert", "NetworkCaCert"),
    ("NetworkClientKey", "NetworkClientKey"),
    ("NetworkClientCert", "NetworkClientCert"),
];

/// Adds both versions of reflection, which tell of this one service and of themselves.
pub(crate) fn add_to(
    routes: &mut RoutesBuilder,
    numbering: Numbering,
    service: &'static str,
) -> Result<(), Error> {
    let described = describe(numbering)?;
    let builder = |own: &'static str| {
        Builder::configure()
            .register_file_descriptor_set(described.clone())
            .with_service_name(service)
            .with_service_name(own)
    };
    routes.add_service(builder("grpc.reflection.v1alpha.ServerReflection").build_v1alpha()?);
    routes.add_service(builder("grpc.reflection.v1.ServerReflection").build_v1()?);
    Ok(())
}

/// The description of the package `pb` in this numbering.
fn describe(numbering: Numbering) -> Result<FileDescriptorSet, Error> {
    let mut all = FileDescriptorSet::decode(wire::DESCRIPTORS)?;
    all.file.retain(|file| file.package() == "pb");
    if numbering == Numbering::April2022 {
        for file in &mut all.file {
            renumber(file);
        }
    }
    Ok(all)
}

fn renumber(file: &mut FileDescriptorProto) {
    for message in &mut file.message_type {
        match message.name() {
            "GetTokenResponse" => message.field = fields_of_get_token(),
            "GetBootStrapTokenRequest" => {
                if let Some(life) = field(message, "expireTime") {
                    life.set_type(Type::Int32);
                }
            }
            "CheckConnResponse" => {
                if let Some(address) = field(message, "bindIp") {
                    address.name = Some("bind_ip".to_owned());
                }
            }
            _ => {}
        }
    }
}

fn field<'a>(message: &'a mut DescriptorProto, name: &str) -> Option<&'a mut FieldDescriptorProto> {
    message.field.iter_mut().find(|field| field.name() == name)
}

fn fields_of_get_token() -> Vec<FieldDescriptorProto> {
    let fields = GET_TOKEN.iter().zip(1..);
    let fields = fields.map(|(&(name, json_name), number)| FieldDescriptorProto {
        name: Some(name.to_owned()),
        json_name: Some(json_name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(Type::String.into()),
        ..FieldDescriptorProto::default()
    });
    fields.collect()
}

#[cfg(test)]
mod tests {
    use super::{GET_TOKEN, describe};
    use crate::Numbering;

    #[test]
    fn each_numbering_describes_the_answer_of_get_token_as_its_clients_know_it() {
        let numbers = |numbering| -> Vec<(String, String, i32)> {
            let described = describe(numbering).unwrap();
            assert_eq!(described.file.len(), 1);
            let mut messages = described.file[0].message_type.iter();
            let answer = messages.find(|one| one.name() == "GetTokenResponse").unwrap();
            let field = |field: &prost_types::FieldDescriptorProto| {
                (
                    field.name().to_owned(),
                    field.json_name().to_owned(),
                    field.number(),
                )
            };
            answer.field.iter().map(field).collect()
        };
        let later = numbers(Numbering::Later);
        assert_eq!(later.len(), 13);
        assert_eq!(later[7], ("GrpcCaCert".to_owned(), "grpcCaCert".to_owned(), 8));
        assert_eq!(later[10].1, "networkCaCert");
        let wanted: Vec<_> = (1..)
            .zip(GET_TOKEN)
            .map(|(number, (name, json))| (name.to_owned(), json.to_owned(), number))
            .collect();
        assert_eq!(numbers(Numbering::April2022), wanted);
    }
}
