#include "tests/differential/comparison.h"

#include <doctest/doctest.h>

using namespace sonde;
using tests::Program;

TEST_SUITE("differential")
{
    TEST_CASE_FIXTURE(tests::Comparison, "ping")
    {
        const std::string one = R"("packetCount": 1)";
        compare(Program::ping,
            {{"P2", one, "", "127.0.0.1"},
                {"P2-v6", one, "", "::1", "", std::chrono::seconds{3}, "V6"},
                {"P2-any", one, "", "::1", "", std::chrono::seconds{3}, "Any"},
                {"P9", one + R"(, "payloadSize": 65499)", "payload_size: 65499", "127.0.0.1"},
                {"P12", one + R"(, "sourceIpAddress": "::1")", R"(source_ip_address: "::1")",
                    "127.0.0.1"},
                {"P13", one, "", "127.0.0.1", "", std::chrono::seconds{3}, "V6"},
                {"from-another-address", one + R"(, "sourceIpAddress": "127.0.0.9")",
                    "source_ip_address: 127.0.0.9", "127.0.0.1"}});
    }
}
