#include "agent/base/text.h"
#include "agent/link/wire_text.h"
#include "config/schema.h"

#include <doctest/doctest.h>

using namespace sonde;
using link::take_field;
using link::with_repaired_text;

TEST_SUITE("agent/link/wire_text")
{
    TEST_CASE("text that is not UTF-8 is repaired, however deep; all else stays as it is")
    {
        pb::Changes wire;
        wire.set_isdeltafirstbatch(true);
        pb::Check& check = *wire.add_checks()->mutable_check();
        check.set_id(-1234003);
        check.set_job("j\xff");
        check.set_target("\xc3\xa9");
        check.set_modified(1700000000.5);
        check.add_probes(1);
        check.add_probes(300);
        pb::Label& label = *check.add_labels();
        label.set_name("team");
        label.set_value("\xf0\x28");
        check.mutable_settings()->mutable_tcp()->add_queryresponse()->set_send("\xff\xfe");
        check.mutable_settings()->mutable_http()->add_validstatuscodes(204);
        check.GetReflection()->MutableUnknownFields(&check)->AddLengthDelimited(77, "\xff");
        const std::string bytes = wire.SerializeAsString();
        pb::Changes read;
        REQUIRE_FALSE(read.ParseFromString(bytes));

        const auto repaired = with_repaired_text(*pb::Changes::descriptor(), bytes);
        REQUIRE(repaired.has_value());
        REQUIRE(read.ParseFromString(*repaired));
        check.set_job("j\xef\xbf\xbd");
        label.set_value("\xef\xbf\xbd(");
        CHECK(read.SerializeAsString() == wire.SerializeAsString());
    }

    TEST_CASE("what is well-formed comes back byte by byte")
    {
        pb::Check check;
        check.set_id(1);
        check.set_job("job");
        check.mutable_settings()->mutable_ping();
        const std::string bytes = check.SerializeAsString();
        CHECK(with_repaired_text(*pb::Check::descriptor(), bytes) == bytes);
        CHECK(with_repaired_text(*pb::Check::descriptor(), "") == "");
    }

    TEST_CASE("what is no message is none")
    {
        using std::string_view_literals::operator""sv;
        const std::string_view broken[] = {
            "\x52"sv,                                              // no length
            "\x52\x05xy"sv,                                        // shorter than it says
            "\x52\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv,  // a number without end
            "\x08"sv,                                              // no number
            "\x09\x01\x02"sv,                                      // less than eight bytes
            "\x0d\x01"sv,                                          // less than four
            "\x00\x01"sv,                                          // field 0
            "\x0b\x0c"sv,                                          // a group
            "\x42\x02\x52\x05"sv,                                  // settings that are none
        };
        for (const auto bytes : broken) {
            CAPTURE(text::hex(bytes));
            CHECK_FALSE(with_repaired_text(*pb::Check::descriptor(), bytes).has_value());
        }
    }

    TEST_CASE("fields are taken off one by one")
    {
        std::string_view bytes{"\x08\x96\x01\x12\x02hi\x1d\x01\x02\x03\x04", 12};
        auto field = take_field(bytes);
        REQUIRE(field.has_value());
        CHECK(field->number == 1);
        CHECK_FALSE(field->has_content);
        CHECK(field->whole.size() == 3);
        field = take_field(bytes);
        REQUIRE(field.has_value());
        CHECK(field->number == 2);
        CHECK(field->content == "hi");
        field = take_field(bytes);
        REQUIRE(field.has_value());
        CHECK(field->whole.size() == 5);
        CHECK(bytes.empty());
        CHECK_FALSE(take_field(bytes).has_value());
    }
}
