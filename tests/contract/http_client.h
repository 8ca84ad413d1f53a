#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sonde::contract {

struct Request {
    std::string method;
    std::string path;                  ///< below /api/v1/, with its query
    std::vector<std::string> headers;  ///< lines
    std::optional<std::string> body;
};

struct Reply {
    int status = 0;
    std::string reason;                          ///< phrase of the status line
    std::map<std::string, std::string> headers;  ///< names in lower case
    std::string body;
};

/// Speaks HTTP/1.1 to the API over a connection that stays open. Whatever comes back is held
/// against the rules for all answers (spec 04 §1.6 to §1.8, §1.10), and recorded.
class HttpClient {
public:
    /// @param port of 127.0.0.1.
    explicit HttpClient(std::uint16_t port);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    Reply send(const Request& request) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// `Authorization: Bearer token`.
std::string bearer(const std::string& token);

}  // namespace sonde::contract
