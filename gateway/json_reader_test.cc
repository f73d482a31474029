#include "gateway/json_reader.h"

#include <catch2/catch.hpp>

#include "gateway/testing/codec_test_support.h"

namespace verdict::gateway {
namespace {

using testing::Everything;

class Plans {
 public:
  Plans() : plan_(*plans_.Make(*Everything::descriptor())) {}

  absl::Status Read(std::string_view json) {
    message = {};
    return ReadJson(*plan_, json, message);
  }

  Everything message;

 private:
  JsonPlans plans_;
  const MessagePlan* plan_;
};

struct Bad {
  std::string body;
  const char* reason;
  const char* field;
};

void CheckAll(std::initializer_list<Bad> cases) {
  Plans plans;
  for (const Bad& test : cases) {
    INFO(test.body);
    const absl::Status status = plans.Read(test.body);
    CHECK(Reason(status) == test.reason);
    CHECK(Field(status) == test.field);
  }
}

std::string Repeat(std::string_view text, int count) {
  std::string repeated;
  for (int i = 0; i < count; ++i) repeated += text;
  return repeated;
}

TEST_CASE("every kind of field is read") {
  Plans plans;
  const absl::Status status = plans.Read(R"( {
    "text": "t\u00e9\n\ud83d\udc4d\/", "flag": true, "int32": -2147483648, "int64": 9223372036854775807,
    "uint32": 4294967295, "uint64": 18446744073709551615, "number": -0.1, "colour": "light_blue",
    "maybe_text": "", "maybe_flag": false, "maybe_int32": 0, "maybe_number": 0,
    "object": { "a" : [ 1.50, "\u0041\"\\", { } , [ ], null, true, false, -0 ], "b": {"c": 1e5} },
    "time": "2026-05-29T22:54:19.746+02:00", "child": {"text": "inner", "child": {}},
    "texts": ["a", "", "\u0001"], "int64s": [1, -1], "colours": ["red", "light_blue"],
    "times": ["1970-01-01T00:00:00Z"], "children": [{"int32": 1}, {}], "objects": [{}, {"x":[]}],
    "flags": [true, false], "numbers": [1, 0.5],
    "words": {"one": "1", "": "empty"}, "by_name": {"x": {"flag": true}}, "colour_of": {"sky": "light_blue"}
  } )");
  INFO(status);
  REQUIRE(status.ok());
  const Everything& read = plans.message;
  CHECK(read.text() == "t\xC3\xA9\n\xF0\x9F\x91\x8D/");
  CHECK(read.flag());
  CHECK(read.int32() == std::numeric_limits<int32_t>::min());
  CHECK(read.int64() == std::numeric_limits<int64_t>::max());
  CHECK(read.uint32() == std::numeric_limits<uint32_t>::max());
  CHECK(read.uint64() == std::numeric_limits<uint64_t>::max());
  CHECK(read.number() == -0.1);
  CHECK(read.colour() == testing::COLOUR_LIGHT_BLUE);
  CHECK(read.has_maybe_text());
  CHECK(read.has_maybe_flag());
  CHECK(read.has_maybe_int32());
  CHECK(read.has_maybe_number());
  CHECK(read.object() == R"({"a":[1.50,"A\"\\",{},[],null,true,false,-0],"b":{"c":1e5}})");
  CHECK(read.time().seconds() == 1780088059);
  CHECK(read.time().nanos() == 746'000'000);
  CHECK(read.child().text() == "inner");
  CHECK(read.child().has_child());
  CHECK(read.texts_size() == 3);
  CHECK(read.texts(2) == "\x01");
  CHECK(read.int64s(1) == -1);
  CHECK(read.colours(0) == testing::COLOUR_RED);
  CHECK(read.times(0).seconds() == 0);
  CHECK(read.children(0).int32() == 1);
  CHECK(read.objects(1) == R"({"x":[]})");
  CHECK(read.flags_size() == 2);
  CHECK(read.numbers(1) == 0.5);
  CHECK(read.words().at("one") == "1");
  CHECK(read.words().at("") == "empty");
  CHECK(read.by_name().at("x").flag());
  CHECK(read.colour_of().at("sky") == testing::COLOUR_LIGHT_BLUE);
}

TEST_CASE("null equals absent") {
  Plans plans;
  REQUIRE(plans
              .Read(R"({"text":null,"maybe_text":null,"object":null,"time":null,"child":null,"texts":null,
                         "words":{"a":null},"by_name":null,"colour":null,"maybe_int32":null})")
              .ok());
  CHECK(plans.message.ByteSizeLong() == 0);
  CheckAll({
      {R"({"texts":[null]})", "VALIDATION_ERROR", "texts[0]"},
      {R"({"objects":[{},null]})", "VALIDATION_ERROR", "objects[1]"},
      {R"({"text":null,"text":"x"})", "DUPLICATE_KEY", "text"},
  });
}

TEST_CASE("a value of another type is refused by its path") {
  CheckAll({
      {R"({"text":1})", "VALIDATION_ERROR", "text"},
      {R"({"text":["a"]})", "VALIDATION_ERROR", "text"},
      {R"({"text":{}})", "VALIDATION_ERROR", "text"},
      {R"({"flag":"true"})", "VALIDATION_ERROR", "flag"},
      {R"({"flag":1})", "VALIDATION_ERROR", "flag"},
      {R"({"int32":"1"})", "VALIDATION_ERROR", "int32"},
      {R"({"int32":true})", "VALIDATION_ERROR", "int32"},
      {R"({"number":"0.5"})", "VALIDATION_ERROR", "number"},
      {R"({"number":{}})", "VALIDATION_ERROR", "number"},
      {R"({"colour":1})", "VALIDATION_ERROR", "colour"},
      {R"({"colour":"green"})", "VALIDATION_ERROR", "colour"},
      {R"({"colour":"RED"})", "VALIDATION_ERROR", "colour"},
      {R"({"colour":"COLOUR_RED"})", "VALIDATION_ERROR", "colour"},
      {R"({"colour":"unspecified"})", "VALIDATION_ERROR", "colour"},
      {R"({"colour":""})", "VALIDATION_ERROR", "colour"},
      {R"({"time":0})", "VALIDATION_ERROR", "time"},
      {R"({"time":"yesterday"})", "VALIDATION_ERROR", "time"},
      {R"({"time":{"seconds":1}})", "VALIDATION_ERROR", "time"},
      {R"({"child":[]})", "VALIDATION_ERROR", "child"},
      {R"({"child":"x"})", "VALIDATION_ERROR", "child"},
      {R"({"object":[]})", "VALIDATION_ERROR", "object"},
      {R"({"object":"{}"})", "VALIDATION_ERROR", "object"},
      {R"({"object":1})", "VALIDATION_ERROR", "object"},
      {R"({"objects":{}})", "VALIDATION_ERROR", "objects"},
      {R"({"objects":[[]]})", "VALIDATION_ERROR", "objects[0]"},
      {R"({"texts":"a"})", "VALIDATION_ERROR", "texts"},
      {R"({"texts":{}})", "VALIDATION_ERROR", "texts"},
      {R"({"texts":["a",["b"]]})", "VALIDATION_ERROR", "texts[1]"},
      {R"({"texts":["a","b",3]})", "VALIDATION_ERROR", "texts[2]"},
      {R"({"children":[{},{"child":{"int64s":[1,2,0.5]}}]})", "VALIDATION_ERROR",
       "children[1].child.int64s[2]"},
      {R"({"children":[{},7]})", "VALIDATION_ERROR", "children[1]"},
      {R"({"words":[]})", "VALIDATION_ERROR", "words"},
      {R"({"words":"a"})", "VALIDATION_ERROR", "words"},
      {R"({"words":{"a":{}}})", "VALIDATION_ERROR", "words.a"},
      {R"({"words":{"a":1}})", "VALIDATION_ERROR", "words.a"},
      {R"({"by_name":{"x":{"flag":0}}})", "VALIDATION_ERROR", "by_name.x.flag"},
      {R"({"by_name":{"x":[]}})", "VALIDATION_ERROR", "by_name.x"},
      {R"({"colour_of":{"a":"red","b":"pink"}})", "VALIDATION_ERROR", "colour_of.b"},
      {"[]", "VALIDATION_ERROR", "The body"},
      {"\"text\"", "VALIDATION_ERROR", "The body"},
      {"17", "VALIDATION_ERROR", "The body"},
      {"true", "VALIDATION_ERROR", "The body"},
      {"null", "VALIDATION_ERROR", "The body"},
  });
}

TEST_CASE("a refusal says what the field takes, and does not repeat the value") {
  Plans plans;
  CHECK(Message(plans.Read(R"({"colour":"secret"})")) == "colour must be one of: red, light_blue.");
  CHECK(Message(plans.Read(R"({"flag":"secret"})")) == "flag must be true or false.");
  CHECK(Message(plans.Read(R"({"maybe_int32":0.5})")) == "maybe_int32 must be an integer from 1 to 86400.");
  CHECK(Message(plans.Read(R"({"int32":0.5})")) ==
        "int32 must be an integer from -2147483648 to 2147483647.");
  CHECK(Message(plans.Read(R"({"uint32":-1})")) == "uint32 must be an integer from 0 to 4294967295.");
  CHECK(Message(plans.Read(R"({"texts":1})")) == "texts must be an array.");
  CHECK(Message(plans.Read(R"({"texts":[1]})")) == "texts[0] must be a string.");
  CHECK(Message(plans.Read(R"({"words":1})")) == "words must be an object.");
  CHECK(Message(plans.Read(R"({"time":"x"})")) == "time must be a time such as 2026-05-29T20:54:19.746Z.");
}

TEST_CASE("integers may be written in any way that is whole") {
  Plans plans;
  struct Case {
    const char* number;
    int64_t value;
  };
  const Case cases[] = {
      {"0", 0},
      {"-0", 0},
      {"0.0", 0},
      {"-0.000e5", 0},
      {"0e999999999", 0},
      {"3600.0", 3600},
      {"1e3", 1000},
      {"1.5e1", 15},
      {"1.50E+1", 15},
      {"1500e-2", 15},
      {"-1234500e-2", -12345},
      {"100.00", 100},
      {"9007199254740993", 9007199254740993},
      {"9223372036854775807", INT64_MAX},
      {"9223372036854775807.000", INT64_MAX},
      {"92233720368547758070e-1", INT64_MAX},
      {"-9223372036854775808", INT64_MIN},
      {"-9.223372036854775808e18", INT64_MIN},
      {"0.000000000000000000000000000001e30", 1},
  };
  for (const Case& test : cases) {
    INFO(test.number);
    const absl::Status status = plans.Read(absl::StrCat(R"({"int64":)", test.number, "}"));
    CHECK(status.ok());
    CHECK(plans.message.int64() == test.value);
  }
}

TEST_CASE("numbers that a field cannot hold are refused") {
  CheckAll({
      {R"({"int32":2147483648})", "VALIDATION_ERROR", "int32"},
      {R"({"int32":-2147483649})", "VALIDATION_ERROR", "int32"},
      {R"({"int32":0.5})", "VALIDATION_ERROR", "int32"},
      {R"({"int32":1e-1})", "VALIDATION_ERROR", "int32"},
      {R"({"int32":1e10})", "VALIDATION_ERROR", "int32"},
      {R"({"int64":9223372036854775808})", "VALIDATION_ERROR", "int64"},
      {R"({"int64":-9223372036854775809})", "VALIDATION_ERROR", "int64"},
      {R"({"int64":1e19})", "VALIDATION_ERROR", "int64"},
      {R"({"int64":3600.0000000000000000001})", "VALIDATION_ERROR", "int64"},
      {R"({"int64":1e-999999999})", "VALIDATION_ERROR", "int64"},
      {R"({"uint32":-1})", "VALIDATION_ERROR", "uint32"},
      {R"({"uint32":4294967296})", "VALIDATION_ERROR", "uint32"},
      {R"({"uint64":-1})", "VALIDATION_ERROR", "uint64"},
      {R"({"uint64":18446744073709551616})", "VALIDATION_ERROR", "uint64"},
      {R"({"uint64":1)" + Repeat("0", 400) + "}", "VALIDATION_ERROR", "uint64"},
      {R"({"number":1e400})", "VALIDATION_ERROR", "number"},
      {R"({"number":-1e400})", "VALIDATION_ERROR", "number"},
      {R"({"number":1)" + Repeat("0", 400) + "}", "VALIDATION_ERROR", "number"},
      {R"({"object":{"a":[1,1e400]}})", "VALIDATION_ERROR", "object.a[1]"},
      {R"({"object":{"a":123456789012345678901234567890123}})", "VALIDATION_ERROR", "object.a"},
  });
}

TEST_CASE("a member may stand once, however it is spelled") {
  CheckAll({
      {R"({"text":"a","text":"a"})", "DUPLICATE_KEY", "text"},
      {R"({"text":"a","t\u0065xt":"a"})", "DUPLICATE_KEY", "text"},
      {R"({"child":{"flag":true,"flag":true}})", "DUPLICATE_KEY", "child.flag"},
      {R"({"child":{},"child":{}})", "DUPLICATE_KEY", "child"},
      {R"({"texts":[],"texts":[]})", "DUPLICATE_KEY", "texts"},
      {R"({"words":{"a":"1","b":"2","a":"3"}})", "DUPLICATE_KEY", "words.a"},
      {R"({"words":{"a":"1","\u0061":"3"}})", "DUPLICATE_KEY", "words.a"},
      {R"({"words":{"\u0061":"1","a":"3"}})", "DUPLICATE_KEY", "words.a"},
      {R"({"object":{"a":1,"a":2}})", "DUPLICATE_KEY", "object.a"},
      {R"({"object":{"x":[0,{"a":1,"b":2,"\u0061":2}]}})", "DUPLICATE_KEY", "object.x[1].a"},
      {R"({"object":{"":1,"":2}})", "DUPLICATE_KEY", "object."},
  });
  Plans plans;
  CHECK(plans.Read(R"({"object":{"a":{"a":1},"b":[{"a":1},{"a":1}]},"words":{"a":""},"by_name":{"a":{}}})")
            .ok());
}

TEST_CASE("unknown members are refused by their path") {
  CheckAll({
      {R"({"thumbsup":true})", "UNKNOWN_FIELD", "thumbsup"},
      {R"({"Text":"a"})", "UNKNOWN_FIELD", "Text"},
      {R"({"":1})", "UNKNOWN_FIELD", "The body"},
      {R"({"maybeText":"a"})", "UNKNOWN_FIELD", "maybeText"},
      {R"({"children":[{},{"child":{"x":1}}]})", "UNKNOWN_FIELD", "children[1].child.x"},
      {R"({"by_name":{"k":{"x":1}}})", "UNKNOWN_FIELD", "by_name.k.x"},
      {R"({"nothing":null})", "UNKNOWN_FIELD", "nothing"},
  });
  Plans plans;
  const std::string shown = Field(plans.Read("{\"" + Repeat("\xF0\x9F\x91\x8D", 1000) + "\":1}"));
  CHECK(shown == Repeat("\xF0\x9F\x91\x8D", 50) + "...");
}

TEST_CASE("U+0000 is refused wherever it stands") {
  CheckAll({
      {R"({"text":"a\u0000b"})", "INVALID_TEXT", "text"},
      {R"({"texts":["","\u0000"]})", "INVALID_TEXT", "texts[1]"},
      {R"({"children":[{},{"text":"\u0000"}]})", "INVALID_TEXT", "children[1].text"},
      {R"({"object":{"a":["x","\u0000"]}})", "INVALID_TEXT", "object.a[1]"},
      {R"({"object":{"\u0000":1}})", "INVALID_TEXT", "A member's name in object"},
      {R"({"words":{"a":"\u0000"}})", "INVALID_TEXT", "words.a"},
      {R"({"words":{"\u0000":""}})", "INVALID_TEXT", "A member's name in words"},
      {R"({"te\u0000xt":""})", "INVALID_TEXT", "A member's name in The body"},
  });
}

TEST_CASE("fields that the server sets are ignored") {
  Plans plans;
  REQUIRE(plans.Read(R"({"server_side":"x","text":"a"})").ok());
  CHECK_FALSE(plans.message.has_server_side());
  REQUIRE(plans.Read(R"({"server_side":{"any":["thing",1e999]},"text":"a"})").ok());
  CHECK(plans.message.text() == "a");
}

TEST_CASE("syntax is RFC 8259's, and an error names the byte") {
  const auto syntax_error = [](std::string body) { return Bad{std::move(body), "INVALID_JSON", ""}; };
  Plans plans;
  for (const std::string body : {
           "",
           " ",
           "{",
           "}",
           "{]",
           "nul",
           "tru",
           "{\"text\"",
           "{\"text\":",
           "{\"text\":\"a\"",
           "{\"text\":\"a}",
           "{\"text\":\"a\",}",
           "{,}",
           "{\"text\" \"a\"}",
           "{\"text\"::\"a\"}",
           "{text:\"a\"}",
           "{'text':'a'}",
           "{\"texts\":[,]}",
           "{\"texts\":[\"a\",]}",
           "{\"texts\":[\"a\" \"b\"]}",
           "{\"texts\":[\"a\"}",
           "{\"int32\":01}",
           "{\"int32\":+1}",
           "{\"int32\":.5}",
           "{\"int32\":1.}",
           "{\"int32\":1e}",
           "{\"int32\":1e+}",
           "{\"int32\":-}",
           "{\"int32\":0x1}",
           "{\"int32\":--1}",
           "{\"int32\":1 2}",
           "{\"number\":NaN}",
           "{\"number\":Infinity}",
           "{\"number\":-Infinity}",
           "{\"flag\":True}",
           "{\"flag\":truE}",
           "{\"text\":\"\x01\"}",
           "{\"text\":\"\n\"}",
           "{\"text\":\"\t\"}",
           "{\"text\":\"\\x41\"}",
           "{\"text\":\"\\u00\"}",
           "{\"text\":\"\\u00g0\"}",
           "{\"text\":\"\\\"}",
           "{\"text\":\"\\ud800\"}",
           "{\"text\":\"\\udc00\"}",
           "{\"text\":\"\\ud800\\ud800\"}",
           "{\"text\":\"\\ud800x\"}",
           "{\"text\":\"\xFF\"}",
           "{\"text\":\"\xC0\xAF\"}",
           "{\"text\":\"\xED\xA0\x80\"}",
           "{\"text\":\"\xF4\x90\x80\x80\"}",
           "{\"text\":\"\xE2\x82\"}",
           "{\"\xFF\":1}",
           "\xEF\xBB\xBF{}",
           "{}x",
           "{} {}",
           "{}]",
           "{},",
           "{}//",
           "{/**/}",
           "# {}",
           "{\"text\":\"a\"}\xFF",
           "{\"object\":{\"a\":[1,]}}",
           "{\"object\":{\"a\":tru}}",
           "{\"object\":{a:1}}",
           "{\"object\":{\"a\":01}}",
           "\f{}",
           "\xC2\xA0{}",
       }) {
    const Bad test = syntax_error(body);
    INFO(test.body);
    CHECK(Reason(plans.Read(test.body)) == test.reason);
  }
  CHECK(Reason(plans.Read(std::string_view("{}\0", 3))) == "INVALID_JSON");
  CHECK(Reason(plans.Read(std::string_view("{\"text\":\"\0\"}", 12))) == "INVALID_JSON");
  CHECK(Message(plans.Read(R"({"text": tru})")) == "Syntax error at byte 9 of the body.");
  CHECK(Message(plans.Read(R"({"text":"a")")) == "Syntax error at byte 11 of the body: incomplete JSON.");
  CHECK(Message(plans.Read("{} x")) ==
        "Syntax error at byte 3 of the body: something follows the JSON value.");
}

TEST_CASE("what RFC 8259 allows is accepted") {
  Plans plans;
  for (const char* body : {
           "{}",
           " \t\r\n{ } \t\r\n",
           R"({"text":"\"\\\/\b\f\n\r\t\u00e9\uD834\uDD1E"})",
           "{\"text\":\"\x7F\"}",
           "{\"text\":\"\xEF\xBF\xBF \xE2\x80\xA8 \xF4\x8F\xBF\xBF \xEF\xBB\xBF\"}",
           R"({"text":"\uFFFF\uDBFF\uDFFF"})",
           R"({"number":-0})",
           R"({"number":-0.0})",
           R"({"number":0E0})",
           R"({"number":1E-2})",
           R"({"number":123.456e+7})",
           R"({"number":-0.000000000000000000000000000000000000000000000000000000000000000000000000000001})",
           R"({"numbers" : [ ] })",
           R"({"object":{"":0,"\"":[[[]]],"\u00e9":{}}})",
           R"({"texts":[ "a" , "b" ]})",
       }) {
    INFO(body);
    const absl::Status status = plans.Read(body);
    INFO(status);
    CHECK(status.ok());
  }
}

TEST_CASE("objects and arrays nest up to 32 deep") {
  Plans plans;
  const auto nested = [](int depth) {  // the message and depth - 1 children
    return Repeat("{\"child\":", depth - 1) + "{}" + Repeat("}", depth - 1);
  };
  CHECK(plans.Read(nested(32)).ok());
  const absl::Status too_deep = plans.Read(nested(33));
  CHECK(Reason(too_deep) == "INVALID_JSON");
  CHECK_THAT(Message(too_deep), Catch::Contains("nesting deeper than 32"));
  CHECK(plans.Read("{\"object\":{\"a\":" + Repeat("[", 30) + Repeat("]", 30) + "}}").ok());
  CHECK(Reason(plans.Read("{\"object\":{\"a\":" + Repeat("[", 31) + Repeat("]", 31) + "}}")) ==
        "INVALID_JSON");
}

TEST_CASE("a json field keeps its object, compact and otherwise as sent") {
  Plans plans;
  struct Case {
    const char* sent;
    const char* kept;
  };
  const Case cases[] = {
      {"{}", "{}"},
      {"{ }", "{}"},
      {R"({ "b" : 1.10 , "a" : -0 , "c" : 1E2 })", R"({"b":1.10,"a":-0,"c":1E2})"},
      {R"({"id":12345678901234567890})", R"({"id":12345678901234567890})"},
      {R"({"a":"\u00e9\/\u001f\u007f\n"})", "{\"a\":\"\xC3\xA9/\\u001f\x7F\\n\"}"},
      {R"({"k\u0041\"":[ null , true,false , [ ] , { } ]})", R"({"kA\"":[null,true,false,[],{}]})"},
  };
  for (const Case& test : cases) {
    INFO(test.sent);
    const absl::Status status = plans.Read(absl::StrCat(R"({"object":)", test.sent, "}"));
    REQUIRE(status.ok());
    CHECK(plans.message.object() == test.kept);
  }
}

TEST_CASE(
    "a strict route refuses what stands in the path already; a lenient one ignores all it does not know") {
  const RouteTable routes = TestRoutes();
  Everything request;

  const Match strict = routes.Find("POST", "/everything/a");
  CHECK(Field(ReadRequest(strict, "", R"({"text":"b"})", request)) == "text");
  CHECK(Reason(ReadRequest(strict, "", R"({"text":"a"})", request)) == "UNKNOWN_FIELD");
  CHECK(Reason(ReadRequest(strict, "", R"({"other":1})", request)) == "UNKNOWN_FIELD");
  CHECK(Reason(ReadRequest(strict, "flag=true", "{}", request)) == "UNKNOWN_FIELD");

  request.Clear();
  const Match lenient = routes.Find("PUT", "/lenient/a");
  REQUIRE(
      ReadRequest(lenient, "x=1&flag=true&x=2",
                  R"({"text":"b","other":{"a":[1e999,{"b":null}],"c":"d"},"flag":true,"more":[],"n":1,"s":"",
                          "child":{"unknown":false,"int32":5}})",
                  request)
          .ok());
  CHECK(request.text() == "a");
  CHECK(request.flag());
  CHECK(request.child().int32() == 5);
  for (const char* body :
       {R"({"other":1,"other":2})", R"({"other":{"a":1,"a":2}})", R"({"other":1,"\u006fther":2})"}) {
    CHECK(Reason(ReadRequest(lenient, "", body, request)) == "DUPLICATE_KEY");
  }
  CHECK(Reason(ReadRequest(lenient, "", R"({"other":"\u0000"})", request)) == "INVALID_TEXT");
  CHECK(Reason(ReadRequest(lenient, "", R"({"other":{"a":01}})", request)) == "INVALID_JSON");
  CHECK(Reason(ReadRequest(lenient, "", R"({"other":1,"flag":2})", request)) == "VALIDATION_ERROR");
}

TEST_CASE("a body stands where one belongs, and nowhere else") {
  const RouteTable routes = TestRoutes();
  Everything request;
  const Match post = routes.Find("POST", "/everything/a");
  CHECK(Reason(ReadRequest(post, "", std::nullopt, request)) == "INVALID_JSON");
  CHECK(Reason(ReadRequest(post, "", "", request)) == "INVALID_JSON");
  const Match get = routes.Find("GET", "/things/a");
  CHECK(ReadRequest(get, "", std::nullopt, request).ok());
  CHECK(ReadRequest(get, "", "", request).ok());
  CHECK(Reason(ReadRequest(get, "", "{}", request)) == "BAD_REQUEST");
}

TEST_CASE("query parameters set fields by their paths") {
  const RouteTable routes = TestRoutes();
  const Match match = routes.Find("GET", "/things/the%20one");
  Everything request;
  const absl::Status status =
      ReadRequest(match,
                  "flag=true&int32=-7&int64=1e3&uint64=18446744073709551615&number=2.5&colour=light_blue&"
                  "maybe_text=a+b%2Bc%26&"
                  "time=2026-05-29T20:54:19Z&child.text=%C3%A9&child.child.flag=false&&",
                  std::nullopt, request);
  INFO(status);
  REQUIRE(status.ok());
  CHECK(request.text() == "the one");
  CHECK(request.flag());
  CHECK(request.int32() == -7);
  CHECK(request.int64() == 1000);
  CHECK(request.uint64() == UINT64_MAX);
  CHECK(request.number() == 2.5);
  CHECK(request.colour() == testing::COLOUR_LIGHT_BLUE);
  CHECK(request.maybe_text() == "a b+c&");
  CHECK(request.time().seconds() == 1780088059);
  CHECK(request.child().text() == "\xC3\xA9");
  CHECK(request.child().has_child());

  request.Clear();
  REQUIRE(ReadRequest(match, "maybe_text", std::nullopt, request).ok());
  CHECK(request.has_maybe_text());
}

TEST_CASE("query parameters are unknown, doubled or malformed by name") {
  const RouteTable routes = TestRoutes();
  const Match match = routes.Find("GET", "/things/a");
  struct Case {
    const char* query;
    const char* reason;
    const char* field;
  };
  const Case cases[] = {
      {"nothing=1", "UNKNOWN_FIELD", "nothing"},
      {"flag=true&flag=true", "DUPLICATE_KEY", "flag"},
      {"flag=true&fl%61g=true", "DUPLICATE_KEY", "flag"},
      {"child.flag=true&child.flag=true", "DUPLICATE_KEY", "child.flag"},
      {"text=b", "DUPLICATE_KEY", "text"},
      {"child=1", "UNKNOWN_FIELD", "child"},
      {"child.=1", "UNKNOWN_FIELD", "child."},
      {"flag.x=1", "UNKNOWN_FIELD", "flag.x"},
      {"time.seconds=1", "UNKNOWN_FIELD", "time.seconds"},
      {"texts=a", "UNKNOWN_FIELD", "texts"},
      {"words.a=b", "UNKNOWN_FIELD", "words.a"},
      {"object={}", "UNKNOWN_FIELD", "object"},
      {"flag=1", "VALIDATION_ERROR", "flag"},
      {"flag=", "VALIDATION_ERROR", "flag"},
      {"flag", "VALIDATION_ERROR", "flag"},
      {"int32=", "VALIDATION_ERROR", "int32"},
      {"int32=+1", "VALIDATION_ERROR", "int32"},
      {"int32=%2B1", "VALIDATION_ERROR", "int32"},
      {"int32=01", "VALIDATION_ERROR", "int32"},
      {"int32=1x", "VALIDATION_ERROR", "int32"},
      {"int32=-", "VALIDATION_ERROR", "int32"},
      {"int32=1.", "VALIDATION_ERROR", "int32"},
      {"int32=1e", "VALIDATION_ERROR", "int32"},
      {"number=nan", "VALIDATION_ERROR", "number"},
      {"number=inf", "VALIDATION_ERROR", "number"},
      {"number=1e999", "VALIDATION_ERROR", "number"},
      {"colour=green", "VALIDATION_ERROR", "colour"},
      {"child.int32=x", "VALIDATION_ERROR", "child.int32"},
      {"time=today", "VALIDATION_ERROR", "time"},
      {"maybe_text=%", "BAD_REQUEST", "maybe_text"},
      {"maybe_text=%zz", "BAD_REQUEST", "maybe_text"},
      {"maybe_text=%FF", "BAD_REQUEST", "maybe_text"},
      {"maybe_text=a%00", "INVALID_TEXT", "maybe_text"},
      {"%00=1", "INVALID_TEXT", "A query parameter's name"},
      {"%=1", "BAD_REQUEST", "A query parameter's name"},
      {"=1", "UNKNOWN_FIELD", ""},
  };
  for (const Case& test : cases) {
    INFO(test.query);
    Everything request;
    const absl::Status status = ReadRequest(match, test.query, std::nullopt, request);
    CHECK(Reason(status) == test.reason);
    CHECK(Field(status) == test.field);
  }
}

TEST_CASE("a variable of the path must fit its field") {
  const RouteTable routes = ContractRoutes();
  aggregator::v1::GetEntityFeedbackRequest request;
  CHECK(ReadRequest(routes.Find("GET", "/projects/p/feedback/span/s"), "", std::nullopt, request).ok());
  CHECK(request.entity_type() == types::v1::ENTITY_TYPE_SPAN);
  const absl::Status status =
      ReadRequest(routes.Find("GET", "/projects/p/feedback/spam/s"), "", std::nullopt, request);
  CHECK(Reason(status) == "VALIDATION_ERROR");
  CHECK(Message(status) == "entity_type must be one of: span, trace, session, eval_run, annotation.");
}

TEST_CASE("the documented bodies are read") {
  const RouteTable routes = ContractRoutes();
  feedback::v1::SubmitCompletionFeedbackRequest request;
  REQUIRE(ReadRequest(routes.Find("POST", "/v1/prompts/support-bot/completions/550e8400/feedback"), "",
                      R"({"thumbs_up":false,"reason":"Response was too vague",
                          "expected_output":"Should provide specific steps","metadata":{"channel":"web","n":[1]},
                          "judge_id":null,"expected_score":4.5,"score_direction":"too_high",
                          "criteria_feedback":{"clarity":{"expected_score":4.0,"reason":"r"}},
                          "created_by":{"id":"user-123","name":null}})",
                      request)
              .ok());
  CHECK(request.prompt_slug() == "support-bot");
  CHECK(request.has_thumbs_up());
  CHECK(request.metadata() == R"({"channel":"web","n":[1]})");
  CHECK_FALSE(request.has_judge_id());
  CHECK(request.score_direction() == types::v1::SCORE_DIRECTION_TOO_HIGH);
  CHECK(request.criteria_feedback().at("clarity").expected_score() == 4.0);
  CHECK_FALSE(request.created_by().has_name());

  feedback::v1::GetCompletionFeedbackRequest get;
  REQUIRE(ReadRequest(routes.Find("GET", "/v1/prompts/b/completions/c/feedback"),
                      "created_by.id=user%2F1&judge_id=j", std::nullopt, get)
              .ok());
  CHECK(get.created_by().id() == "user/1");
  CHECK(get.judge_id() == "j");
}

}  // namespace
}  // namespace verdict::gateway
