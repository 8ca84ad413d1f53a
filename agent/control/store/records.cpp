#include "agent/control/store/records.h"

#include <algorithm>
#include <stdexcept>

namespace sonde::control::store {

std::string to_column(Transaction& db, const google::protobuf::Message& message)
{
    return db.seal().close(message.SerializeAsString());
}

void from_column(Transaction& db, const std::string& column, google::protobuf::Message& into)
{
    const auto plain = db.seal().open(column);
    if (!plain)
        throw std::runtime_error{plain.error().message};
    if (!into.ParseFromString(*plain))
        throw std::runtime_error{"a stored message is broken"};
}

std::int64_t next_modified(const Transaction& db, std::int64_t before)
{
    return std::max(db.now_us(), before + 1);
}

}  // namespace sonde::control::store
