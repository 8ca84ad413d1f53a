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

    void pause(bool yes) { paused_ = yes; }

private:
    bool paused_ = false;
    std::vector<Exchange> exchanges_;
};

Recorder& recorder();

/// While one lives nothing is recorded: the API has other options, so another document.
struct Unrecorded {
    Unrecorded() { recorder().pause(true); }
    ~Unrecorded() { recorder().pause(false); }
    Unrecorded(const Unrecorded&) = delete;
    Unrecorded& operator=(const Unrecorded&) = delete;
};

}  // namespace sonde::contract
