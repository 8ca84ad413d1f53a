#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace sonde::tests {

/// The HTTP API as one program of a user calls it: over a connection that stays open. One thread
/// at a time.
class ApiClient {
public:
    struct Answer {
        int status = 0;  ///< 0: none came, so nobody knows what was done
        std::string body;
    };

    /// @param port of 127.0.0.1.
    ApiClient(std::uint16_t port, std::string token);
    ~ApiClient();
    ApiClient(const ApiClient&) = delete;
    ApiClient& operator=(const ApiClient&) = delete;

    /// @param resource below /api/v1/.
    Answer call(
        const std::string& method, const std::string& resource, const std::string& body = {}) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sonde::tests
