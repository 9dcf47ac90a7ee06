//! Shows that the two judges see: each change of one thing in the descriptor set is found by the facts, and
//! by the baseline where it would break a client.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, FieldOptions, FileDescriptorProto,
    FileDescriptorSet, MethodDescriptorProto,
};

use crate::{baseline, facts, lines};

/// A change of a descriptor set, and whether it breaks clients of the release before.
struct Mutation {
    what: &'static str,
    breaks: bool,
    change: fn(&mut FileDescriptorSet),
}

fn file<'a>(set: &'a mut FileDescriptorSet, name: &str) -> &'a mut FileDescriptorProto {
    set.file.iter_mut().find(|file| file.name() == name).unwrap()
}

fn job(set: &mut FileDescriptorSet) -> &mut FileDescriptorProto {
    file(set, "scow/portal/job.proto")
}

fn message<'a>(file: &'a mut FileDescriptorProto, name: &str) -> &'a mut DescriptorProto {
    file.message_type
        .iter_mut()
        .find(|message| message.name() == name)
        .unwrap()
}

fn field<'a>(message: &'a mut DescriptorProto, name: &str) -> &'a mut FieldDescriptorProto {
    message
        .field
        .iter_mut()
        .find(|field| field.name() == name)
        .unwrap()
}

fn submit<'a>(set: &'a mut FileDescriptorSet, name: &str) -> &'a mut FieldDescriptorProto {
    field(message(job(set), "SubmitJobRequest"), name)
}

fn method(set: &mut FileDescriptorSet) -> &mut MethodDescriptorProto {
    &mut job(set).service[0].method[0]
}

const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "a field's number",
        breaks: true,
        change: |set| submit(set, "command").number = Some(70),
    },
    Mutation {
        what: "a field's name",
        breaks: true,
        change: |set| submit(set, "command").name = Some("script".into()),
    },
    Mutation {
        what: "a field's JSON name",
        breaks: true,
        change: |set| submit(set, "job_name").json_name = Some("job_name".into()),
    },
    Mutation {
        what: "a field's type",
        breaks: true,
        change: |set| submit(set, "node_count").set_type(Type::Int32),
    },
    Mutation {
        what: "a field's message type",
        breaks: true,
        change: |set| {
            field(message(job(set), "ListAllJobsRequest"), "start_time").type_name =
                Some(".google.protobuf.Duration".into());
        },
    },
    Mutation {
        what: "a field's label",
        breaks: true,
        change: |set| submit(set, "command").set_label(Label::Repeated),
    },
    Mutation {
        what: "a field's presence",
        breaks: true,
        change: |set| submit(set, "gpu_count").proto3_optional = None,
    },
    Mutation {
        what: "a field that is deprecated now",
        breaks: false,
        change: |set| {
            submit(set, "command").options = Some(FieldOptions {
                deprecated: Some(true),
                ..FieldOptions::default()
            });
        },
    },
    Mutation {
        what: "a field too many",
        breaks: false,
        change: |set| {
            let mut more = submit(set, "command").clone();
            more.number = Some(99);
            more.name = Some("more".into());
            message(job(set), "SubmitJobRequest").field.push(more);
        },
    },
    Mutation {
        what: "a field too few",
        breaks: true,
        change: |set| drop(message(job(set), "SubmitJobRequest").field.pop()),
    },
    Mutation {
        what: "a oneof's name",
        breaks: true,
        change: |set| {
            let upload = message(file(set, "scow/portal/file.proto"), "UploadRequest");
            upload.oneof_decl[0].name = Some("part".into());
        },
    },
    Mutation {
        what: "a field outside its oneof",
        breaks: true,
        change: |set| {
            let upload = message(file(set, "scow/portal/file.proto"), "UploadRequest");
            field(upload, "chunk").oneof_index = None;
        },
    },
    Mutation {
        what: "a map's value",
        breaks: true,
        change: |set| {
            let greet = message(file(set, "compute/compute.proto"), "GreetFromClient");
            greet.nested_type[0].field[1].set_type(Type::Bytes);
        },
    },
    Mutation {
        what: "an enum value's number",
        breaks: true,
        change: |set| job(set).enum_type[0].value[1].number = Some(7),
    },
    Mutation {
        what: "an enum value's name",
        breaks: true,
        change: |set| job(set).enum_type[0].value[1].name = Some("LOCKED".into()),
    },
    Mutation {
        what: "an enum value too many",
        breaks: false,
        change: |set| {
            job(set).enum_type[0].value.push(EnumValueDescriptorProto {
                name: Some("MORE".into()),
                number: Some(9),
                options: None,
            });
        },
    },
    Mutation {
        what: "an enum too few",
        breaks: true,
        change: |set| drop(job(set).enum_type.pop()),
    },
    Mutation {
        what: "a method's name",
        breaks: true,
        change: |set| method(set).name = Some("EndJob".into()),
    },
    Mutation {
        what: "a method's request",
        breaks: true,
        change: |set| method(set).input_type = Some(".scow.portal.SubmitJobRequest".into()),
    },
    Mutation {
        what: "a method's response",
        breaks: true,
        change: |set| method(set).output_type = Some(".scow.portal.SubmitJobResponse".into()),
    },
    Mutation {
        what: "a method that streams its requests",
        breaks: true,
        change: |set| method(set).client_streaming = Some(true),
    },
    Mutation {
        what: "a method that streams its responses",
        breaks: true,
        change: |set| method(set).server_streaming = Some(true),
    },
    Mutation {
        what: "a method too few",
        breaks: true,
        change: |set| drop(job(set).service[0].method.pop()),
    },
    Mutation {
        what: "a service's name",
        breaks: true,
        change: |set| job(set).service[0].name = Some("Jobs".into()),
    },
    Mutation {
        what: "a message too many",
        breaks: false,
        change: |set| {
            let more = DescriptorProto {
                name: Some("More".into()),
                ..DescriptorProto::default()
            };
            job(set).message_type.push(more);
        },
    },
    Mutation {
        what: "a message too few",
        breaks: true,
        change: |set| {
            drop(
                message(file(set, "scow/portal/file.proto"), "UploadRequest")
                    .nested_type
                    .pop(),
            )
        },
    },
    Mutation {
        what: "a file of an unknown package",
        breaks: false,
        change: |set| {
            let mut more = job(set).clone();
            more.package = Some("scow.more".into());
            set.file.push(more);
        },
    },
    Mutation {
        what: "a file too few",
        breaks: true,
        change: |set| set.file.retain(|file| file.name() != "hello/hello.proto"),
    },
    Mutation {
        what: "an option of the gRPC document",
        breaks: false,
        change: |set| {
            let file = file(set, "helloworld/helloworld.proto");
            file.options.as_mut().unwrap().java_package = Some("com.example".into());
        },
    },
];

#[test]
fn every_change_is_a_difference_from_the_facts() {
    let tables = facts::tables();
    for mutation in MUTATIONS {
        let mut set = lines::built();
        (mutation.change)(&mut set);
        assert!(
            !facts::differences(&set, &tables).is_empty(),
            "not seen: {}",
            mutation.what
        );
    }
}

#[test]
fn every_breaking_change_and_no_other_is_stopped_by_the_baseline() {
    let before = lines::built();
    for mutation in MUTATIONS {
        let mut set = before.clone();
        (mutation.change)(&mut set);
        assert_eq!(
            !baseline::breaks(&before, &set).is_empty(),
            mutation.breaks,
            "{}",
            mutation.what
        );
    }
}
