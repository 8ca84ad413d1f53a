#pragma once

#include "tests/contract/http_client.h"

#include <string>
#include <vector>

namespace sonde::contract {

struct Exchange {
    std::string method;
    std::string path;  ///< below /api/v1/, without a query
    std::string request;
    int status = 0;
    std::string answer;
};

/// All that the tests of this program have asked and heard.
class Recorder {
public:
    void note(const Request& request, const Reply& reply);
    const std::vector<Exchange>& exchanges() const { return exchanges_; }

private:
    std::vector<Exchange> exchanges_;
};

Recorder& recorder();

}  // namespace sonde::contract
