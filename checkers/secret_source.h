#pragma once

#include "agent/base/error.h"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace sonde::checkers {

namespace asio = boost::asio;

/// Where the secrets of a check's tenant are kept. Loop thread only.
class SecretSource {
public:
    virtual ~SecretSource() = default;

    /// The value of a well-formed name. @return Error "secret" with cause "not_found", or
    /// "local_secret_store" when the store cannot be asked.
    virtual asio::awaitable<Result<std::string>> secret(std::string name) = 0;
};

}  // namespace sonde::checkers
