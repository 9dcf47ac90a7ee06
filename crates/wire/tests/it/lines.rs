//! A descriptor set as a set of plain lines, one per fact, so that two of them can be compared and a
//! difference can be read.
//!
//! What it leaves to others: which lines are wanted.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    ServiceDescriptorProto,
};

/// The descriptor set that this build embeds.
pub(crate) fn built() -> FileDescriptorSet {
    FileDescriptorSet::decode(wire::DESCRIPTORS).unwrap()
}

/// Tells whether a package is protobuf's own.
pub(crate) fn is_protobufs_own(package: &str) -> bool {
    package == "google.protobuf"
}

/// Every fact of the files whose package is `wanted`.
pub(crate) fn of(set: &FileDescriptorSet, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for file in set.file.iter().filter(|file| wanted(file.package())) {
        of_file(file, &mut lines);
    }
    lines
}

fn of_file(file: &FileDescriptorProto, lines: &mut BTreeSet<String>) {
    let package = file.package();
    lines.insert(format!("package {package:?}"));
    if file.syntax() != "proto3" {
        lines.insert(format!("syntax {:?} in {}", file.syntax(), file.name()));
    }
    for extension in &file.extension {
        lines.insert(format!("extension {}", extension.name()));
    }
    for service in &file.service {
        of_service(&join(package, service.name()), service, lines);
    }
    for one in &file.enum_type {
        of_enum(&join(package, one.name()), one, lines);
    }
    for message in &file.message_type {
        of_message(&join(package, message.name()), message, lines);
    }
}

fn of_service(name: &str, service: &ServiceDescriptorProto, lines: &mut BTreeSet<String>) {
    lines.insert(format!("service {name}"));
    for method in &service.method {
        let stream = |streaming: bool| if streaming { "stream " } else { "" };
        let line = format!(
            "rpc {name}.{}: {}{} -> {}{}{}",
            method.name(),
            stream(method.client_streaming()),
            bare(method.input_type()),
            stream(method.server_streaming()),
            bare(method.output_type()),
            deprecated(
                method
                    .options
                    .as_ref()
                    .is_some_and(|options| options.deprecated())
            ),
        );
        lines.insert(line);
    }
}

fn of_enum(name: &str, one: &EnumDescriptorProto, lines: &mut BTreeSet<String>) {
    lines.insert(format!("enum {name}"));
    for value in &one.value {
        lines.insert(format!("value {name}: {} {}", value.number(), value.name()));
    }
}

fn of_message(name: &str, message: &DescriptorProto, lines: &mut BTreeSet<String>) {
    lines.insert(format!("message {name}"));
    if message
        .options
        .as_ref()
        .is_some_and(|options| options.deprecated())
    {
        lines.insert(format!("field {name}: deprecated"));
    }
    if !message.extension.is_empty() || !message.extension_range.is_empty() {
        lines.insert(format!("extension in {name}"));
    }
    for field in &message.field {
        lines.insert(format!("field {name}: {}", of_field(field, message)));
    }
    for one in &message.enum_type {
        of_enum(&join(name, one.name()), one, lines);
    }
    for nested in message.nested_type.iter().filter(|nested| !is_map_entry(nested)) {
        of_message(&join(name, nested.name()), nested, lines);
    }
}

/// `number name json_name [repeated ][optional ]type[ in oneof][ deprecated]`.
fn of_field(field: &FieldDescriptorProto, message: &DescriptorProto) -> String {
    let entry = message
        .nested_type
        .iter()
        .filter(|nested| is_map_entry(nested))
        .find(|nested| bare(field.type_name()).ends_with(&format!("{}.{}", message.name(), nested.name())));
    let label = match (field.label(), entry) {
        (Label::Repeated, None) => "repeated ",
        (Label::Required, _) => "required ",
        (Label::Repeated | Label::Optional, _) => "",
    };
    let presence = if field.proto3_optional() { "optional " } else { "" };
    let kind = match entry {
        Some(entry) => format!("map {} to {}", of_type(&entry.field[0]), of_type(&entry.field[1])),
        None => of_type(field),
    };
    let oneof = match field.oneof_index {
        Some(index) if !field.proto3_optional() => {
            format!(
                " in {}",
                message.oneof_decl[usize::try_from(index).unwrap()].name()
            )
        }
        Some(_) | None => String::new(),
    };
    let old = deprecated(field.options.as_ref().is_some_and(|options| options.deprecated()));
    format!(
        "{} {} {} {label}{presence}{kind}{oneof}{old}",
        field.number(),
        field.name(),
        field.json_name()
    )
}

fn of_type(field: &FieldDescriptorProto) -> String {
    match field.r#type() {
        Type::Message => format!("message {}", bare(field.type_name())),
        Type::Enum => format!("enum {}", bare(field.type_name())),
        scalar @ (Type::Double
        | Type::Float
        | Type::Int64
        | Type::Uint64
        | Type::Int32
        | Type::Fixed64
        | Type::Fixed32
        | Type::Bool
        | Type::String
        | Type::Group
        | Type::Bytes
        | Type::Uint32
        | Type::Sfixed32
        | Type::Sfixed64
        | Type::Sint32
        | Type::Sint64) => scalar.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
    }
}

fn is_map_entry(message: &DescriptorProto) -> bool {
    message
        .options
        .as_ref()
        .is_some_and(|options| options.map_entry())
}

fn bare(name: &str) -> &str {
    name.trim_start_matches('.')
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() {
        name.to_owned()
    } else {
        format!("{scope}.{name}")
    }
}

fn deprecated(yes: bool) -> &'static str {
    if yes { " deprecated" } else { "" }
}
