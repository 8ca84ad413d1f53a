#pragma once

namespace google::protobuf {
class Message;
}
namespace grpc {
class ByteBuffer;
}

namespace sonde::link {

/// Reads what an API has sent; text that is not UTF-8 is repaired, with a warning. Any thread.
/// @return false: it is no message of this type.
bool read_message(grpc::ByteBuffer& received, google::protobuf::Message& into);

}  // namespace sonde::link
