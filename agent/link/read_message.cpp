#include "agent/link/read_message.h"

#include "agent/base/log.h"
#include "agent/link/wire_text.h"

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include <string>
#include <vector>

namespace sonde::link {
namespace {

constexpr log::Logger logger{"link"};

}  // namespace

bool read_message(grpc::ByteBuffer& received, google::protobuf::Message& into)
{
    if (!received.Valid())
        return false;
    grpc::ProtoBufferReader reader{&received};
    if (reader.status().ok() && into.ParseFromZeroCopyStream(&reader))
        return true;
    std::vector<grpc::Slice> slices;
    if (!received.Dump(&slices).ok())
        return false;
    std::string bytes;
    for (const grpc::Slice& slice : slices)
        bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    const auto* type = into.GetDescriptor();
    const auto repaired = with_repaired_text(*type, bytes);
    if (!repaired || !into.ParseFromString(*repaired))
        return false;
    logger.warning("a message of the API has text that is not UTF-8; it was repaired",
        {{"message", type->name()}, {"bytes", bytes.size()}});
    return true;
}

}  // namespace sonde::link
