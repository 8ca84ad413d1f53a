#pragma once

#include "tests/contract/http_client.h"
#include "tests/contract/match.h"
#include "tests/support/api_process.h"

#include <span>
#include <string>
#include <string_view>

namespace sonde::contract {

/// A request and the whole answer to it. In each text `$name` is what was captured before.
struct Step {
    std::string_view name;     ///< as the specification numbers it
    std::string_view request;  ///< "POST check/add"
    std::string_view token;    ///< behind `Bearer`; empty: no header; `=…`: the header's value
    /// Empty: none. `@ping {…}`: the body of that name with these members in place of its own, null
    /// for none.
    std::string_view body;
    int status;
    /// JSON, by the rules of differences(), in which the text `@name` is the part of that name; or
    /// `msg | err` of an error.
    std::string_view answer;
    std::string_view type = "application/json";  ///< media type of the body; empty: no header
};

/// Plays steps against the API, one after the other, and remembers.
class Script {
public:
    explicit Script(const tests::ApiProcess& api) : client_{api.http_port()} {}

    /// Each step's whole answer is captured as `step` and its name.
    void play(std::span<const Step> steps);
    Reply play(const Step& step);

    /// What was captured, as text.
    std::string text(const std::string& name) const { return filled_in("$" + name); }
    /// A text, or a body, of a step.
    std::string filled_in(std::string_view text) const
    {
        return contract::filled_in(text, captured_);
    }
    std::string body(std::string_view text) const;
    void capture(const std::string& name, const nlohmann::json& value) { captured_[name] = value; }
    const HttpClient& client() const { return client_; }

private:
    HttpClient client_;
    Captured captured_;
};

/// A valid body of that name, or a part of an answer.
nlohmann::json part(const std::string& name);

/// Registers the tenant of stack 3: `T1`, its token, and `t`, its id; and of stack 9: `U1`, `u`.
void register_tenants(Script& script);
/// A probe of the first tenant, `p` and its token `P`, with checks `ping` (its id is `c`), `http`,
/// `dns` and `tcp` (`h`, `d`, `x`): the state after step 16 of spec 04 §11.1.
void add_probe_and_checks(Script& script);

}  // namespace sonde::contract
