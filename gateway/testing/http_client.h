#pragma once

#include <map>
#include <string>
#include <string_view>

// A client for tests, which sends the bytes it is told to, well-formed or not.
namespace verdict::gateway {

struct TestResponse {
  int status = 0;                                // 0: the server closed without an answer
  std::multimap<std::string, std::string> head;  // names in lower case
  std::string body = {};                         // chunks decoded
  bool complete = false;                         // the body has the length or the last chunk it promised

  std::string Header(const std::string& name) const;  // empty when absent
  bool Has(const std::string& name) const { return head.contains(name); }
};

class TestClient {
 public:
  // Connects to HOST:PORT, from the loopback address `source` if one is named. Fails the test when it cannot;
  // so does a read that lasts ten seconds.
  explicit TestClient(const std::string& address, const std::string& source = "");
  ~TestClient();
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  // False when the server does not take the bytes.
  bool Send(std::string_view bytes);
  // `to_head`: the answer has no body whatever it promises.
  TestResponse Receive(bool to_head = false);
  TestResponse Exchange(std::string_view request) { return Send(request), Receive(); }

  // Reads up to `bytes`; fewer at the end of the stream.
  std::string Read(std::size_t bytes);
  // Whether a read would not wait.
  bool HasInput() const;
  // Bytes that have arrived and were not read.
  std::size_t Unread() const;
  // Whether the server has ended the connection, without more bytes.
  bool AtEnd() { return Read(1).empty(); }
  // The last read ended in a reset.
  bool reset() const { return reset_; }

  // Ends the connection, in order or not, or only the sending half.
  void Close();
  void Reset();
  void FinishSending();

 private:
  bool Fill();
  bool ReadLine(std::string& line);

  int socket_ = -1;
  bool reset_ = false;
  std::string received_;
};

}  // namespace verdict::gateway
