#pragma once

#include "tests/contract/http_client.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace sonde::contract {

/// The served description of the API (spec 04 §12).
class Document {
public:
    struct Operation {
        std::string id;
        std::string method;  ///< "POST"
        std::string path;    ///< below /api/v1/: "check/{id}"
        nlohmann::json definition;

        std::string name() const { return method + " " + path; }
        bool has_body() const { return definition.contains("requestBody"); }
        bool has_id() const { return path.find("{id}") != std::string::npos; }
        /// The scheme that its header must satisfy; empty: anybody may call.
        std::string credential() const;
    };

    explicit Document(const HttpClient& client);

    const nlohmann::json& json() const { return json_; }
    const std::vector<Operation>& operations() const { return operations_; }
    /// The one that answers this; literal paths come before parameters. Null: none.
    const Operation* find(const std::string& method, const std::string& path) const;

private:
    nlohmann::json json_;
    std::vector<Operation> operations_;
};

}  // namespace sonde::contract
