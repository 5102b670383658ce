// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/verbs/run_rows.h"

#include <algorithm>

namespace sealpack::loader {
namespace {

std::vector<std::int64_t> to_dims(const std::vector<std::uint64_t>& shape) {
  return {shape.begin(), shape.end()};
}

bool same_dims(const std::vector<std::uint64_t>& shape, const nn::Shape& other, std::size_t from) {
  if (shape.size() != other.rank()) return false;
  for (std::size_t i = from; i < shape.size(); ++i) {
    if (static_cast<std::int64_t>(shape[i]) != other[i]) return false;
  }
  return true;
}

Result<nn::Shape> with_first(const std::vector<std::uint64_t>& shape, std::uint64_t first) {
  std::vector<std::int64_t> dims = to_dims(shape);
  if (!dims.empty()) dims[0] = static_cast<std::int64_t>(first);
  return nn::Shape::make(dims);
}

std::string names_of(const std::vector<Port>& ports) {
  std::string text;
  for (const Port& port : ports) {
    text += (text.empty() ? "" : ", ") + printable(port.name) + " " + describe_array(port.type);
  }
  return text;
}

const Port* find_port(const std::vector<Port>& ports, const std::string& name) {
  for (const Port& port : ports) {
    if (port.name == name) return &port;
  }
  return nullptr;
}

}  // namespace

Error RowRunner::mismatch(const InputArray& input, const Port& port) const {
  return Error(ErrorCode::kMalformed,
               printable(input.path()) + " is " + describe_array(input.header()) + ", but input " +
                   printable(port.name) + " of the model takes " + describe_array(port.type))
      .with_hint("the first dimension may be a multiple: then the rows are run in batches");
}

// Types are not converted silently: whoever made the array knows what its numbers mean.
Error RowRunner::wrong_type(const InputArray& input, nn::DType wanted) const {
  const std::string type = nn::to_string(wanted);
  Error error(ErrorCode::kMalformed, printable(input.path()) + " is an array of " +
                                         nn::to_string(to_dtype(input.header().type)) +
                                         ", but input " + printable(input.name) +
                                         " of the model takes " + type);
  if (!to_npy_type(wanted).ok()) return error;
  const std::string path = input.is_stream() ? "x.npy" : input.path();
  const bool plain = path.find_first_not_of(
                         "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                         "0123456789_./-") == std::string::npos;
  const std::string from = plain ? path : "x.npy";
  return std::move(error).with_hint("convert it: python3 -c \"import numpy; numpy.save('" + type +
                                    ".npy', numpy.load('" + from + "').astype('" + type + "'))\"");
}

// Inputs by name; a nameless one is the only one there is.
Status RowRunner::name_inputs() {
  const std::vector<Port>& ports = model_.inputs();
  for (InputArray& input : inputs_) {
    if (input.name.empty()) {
      if (ports.size() != 1 || inputs_.size() != 1) {
        return Error(ErrorCode::kUsage, "the model has " + std::to_string(ports.size()) +
                                            " inputs, so --input needs names: " + names_of(ports));
      }
      input.name = ports[0].name;
    }
    if (find_port(ports, input.name) == nullptr) {
      return Error(ErrorCode::kUsage, "the model has no input " + printable(input.name) +
                                          ", it has " + names_of(ports));
    }
  }
  for (const Port& port : ports) {
    const auto given = std::count_if(inputs_.begin(), inputs_.end(), [&](const InputArray& input) {
      return input.name == port.name;
    });
    if (given != 1) {
      return Error(ErrorCode::kUsage, "input " + printable(port.name) + " of the model must be " +
                                          "given once, as " + describe_array(port.type));
    }
  }
  return done();
}

// The shapes that the arrays suggest: the first dimension counts rows, but of vectors only if the
// user says so.
Result<host::InputShapes> RowRunner::guess() const {
  host::InputShapes shapes;
  for (const InputArray& input : inputs_) {
    const std::vector<std::uint64_t>& shape = input.header().shape;
    std::uint64_t first = input.rows();
    if (options_.batch != 0) {
      first = std::min(first, options_.batch);
    } else if (shape.size() > 1) {
      first = std::min<std::uint64_t>(first, 1);
    }
    shapes.emplace(input.name, TRY(with_first(shape, first)));
  }
  return shapes;
}

Status RowRunner::load(const host::InputShapes& shapes) {
  if (loaded_ && shapes == loaded_shapes_) return done();
  loaded_ = false;
  TRY(options_.load(shapes));
  loaded_ = true;
  loaded_shapes_ = shapes;
  return done();
}

host::InputShapes RowRunner::shapes_for(const Cut& cut, std::uint64_t batch) const {
  host::InputShapes shapes;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const std::vector<std::uint64_t>& shape = inputs_[i].header().shape;
    const Result<nn::Shape> one = with_first(shape, cut.batched[i] ? batch : inputs_[i].rows());
    if (one.ok()) shapes.emplace(inputs_[i].name, *one);
  }
  return shapes;
}

// Compares the arrays with the model as it is loaded.
Result<RowRunner::Cut> RowRunner::cut() const {
  Cut cut;
  cut.rows = 0;
  for (const InputArray& input : inputs_) {
    const Port& port = *find_port(model_.inputs(), input.name);
    const NpyHeader& header = input.header();
    if (to_dtype(header.type) != port.type.dtype) return wrong_type(input, port.type.dtype);
    const bool whole = same_dims(header.shape, port.type.shape, 0);
    cut.batched.push_back(!whole);
    if (whole) continue;
    const bool fits = !header.shape.empty() && same_dims(header.shape, port.type.shape, 1);
    if (!fits || input.rows() == 0) return mismatch(input, port);
    const auto batch = static_cast<std::uint64_t>(port.type.shape[0]);
    const bool first = cut.rows == 0;
    if (!first && (input.rows() != cut.rows || batch != cut.batch)) {
      return Error(ErrorCode::kUsage,
                   "the inputs have different numbers of rows: " + std::to_string(cut.rows) +
                       " and " + std::to_string(input.rows()));
    }
    cut.rows = input.rows();
    cut.batch = batch;
  }
  if (cut.rows == 0) {  // one run takes it all
    cut.rows = cut.batch = inputs_.empty() ? 1 : std::max<std::uint64_t>(inputs_[0].rows(), 1);
  }
  return cut;
}

// Loads the model for the shapes of the arrays, or where it does not take them for those it has by
// itself.
Status RowRunner::prepare() {
  const bool named = std::none_of(inputs_.begin(), inputs_.end(),
                                  [](const InputArray& input) { return input.name.empty(); });
  if (!named) {
    TRY(load({}));
    TRY(name_inputs());
  }
  const host::InputShapes suggested = TRY(guess());
  if (!named && takes(suggested)) {
    loaded_shapes_ = suggested;
    return done();
  }
  const Status guessed = load(suggested);
  if (guessed.ok()) return name_inputs();
  // Other shapes may do better where it is the shapes that do not fit, and nowhere else.
  const ErrorCode why = guessed.error().code();
  if (why != ErrorCode::kMalformed && why != ErrorCode::kUsage && why != ErrorCode::kUnsupported) {
    return guessed.error();
  }
  TRY(load({}));
  return name_inputs();
}

// Whether the model as it is loaded has inputs of these shapes.
bool RowRunner::takes(const host::InputShapes& shapes) const {
  return std::all_of(shapes.begin(), shapes.end(), [&](const auto& one) {
    const Port* port = find_port(model_.inputs(), one.first);
    return port != nullptr && port->type.shape == one.second;
  });
}

// Every row of an output is an answer; what the release allows is known before anything is run.
Status RowRunner::check_budget(const Cut& cut) const {
  if (options_.budget == 0) return done();
  std::uint64_t per_run = 0;
  for (const Port& port : model_.answers()) {
    nn::TensorType type = port.type;
    const auto elements = static_cast<std::uint64_t>(type.shape.element_count());
    const std::size_t rank = type.shape.rank();
    const std::uint64_t last =
        options_.top1 || rank == 0 ? 1 : static_cast<std::uint64_t>(type.shape[rank - 1]);
    per_run = std::max(per_run, last == 0 ? 0 : elements / last);
  }
  const std::uint64_t wanted = (cut.rows + cut.batch - 1) / cut.batch * per_run;
  const std::uint64_t left = runs_ == 0 ? options_.budget : counters_.answers_left;
  if (wanted <= left) return done();
  return Error(ErrorCode::kRefused, std::to_string(wanted) + " answers are wanted, " +
                                        std::to_string(left) + " may be given in this opening")
      .with_hint("the query budget of the signed release counts every row");
}

Result<std::size_t> RowRunner::output_port(const OutputArray& output) const {
  const std::vector<Port>& ports = model_.outputs();
  if (output.name.empty()) {
    if (ports.size() == 1) return std::size_t{0};
    return Error(ErrorCode::kUsage, "the model has " + std::to_string(ports.size()) +
                                        " outputs, so --output needs a name: " + names_of(ports));
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].name == output.name) return i;
  }
  return Error(ErrorCode::kUsage,
               "the model has no output " + printable(output.name) + ", it has " + names_of(ports));
}

Status RowRunner::begin_outputs(const Cut& cut) {
  for (OutputArray& output : outputs_) {
    const Port& port = model_.outputs()[TRY(output_port(output))];
    std::vector<std::uint64_t> shape;
    for (const std::int64_t size : port.type.shape.dims()) {
      shape.push_back(static_cast<std::uint64_t>(size));
    }
    if (cut.rows != cut.batch) {
      if (shape.empty() || shape[0] != cut.batch) {
        return Error(ErrorCode::kUnsupported, "output " + printable(port.name) + " is " +
                                                  describe_array(port.type) +
                                                  ", which has no row for each row of the input")
            .with_hint("give the rows one at a time");
      }
      shape[0] = cut.rows;
    }
    TRY(output.begin(TRY(to_npy_type(port.type.dtype)), shape));
  }
  return done();
}

Status RowRunner::run_once(const Cut& cut, std::uint64_t batch,
                           std::map<std::string, host::HostTensor>& tensors) {
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    InputArray& input = inputs_[i];
    const Port& port = *find_port(model_.inputs(), input.name);
    if (!cut.batched[i] && tensors.contains(input.name)) continue;
    auto values = TRY(input.read(port.type.size()));
    tensors[input.name] = {port, std::move(values)};
    size += port.type.size();
  }
  TRY(options_.before_run());
  const host::HostAnswer answer = TRY(model_.run(tensors));
  if (!answer.sealed.empty()) {
    return Error(ErrorCode::kUnsupported, "the answers are sealed to their owner");
  }
  for (OutputArray& output : outputs_) {
    const std::size_t index = TRY(output_port(output));
    if (index >= answer.tensors.size()) {
      return Error(ErrorCode::kInternal, "the TEE left out an output");
    }
    TRY(output.write(answer.tensors[index].bytes));
  }
  counters_ = answer.counters;
  rows_ += batch;
  ++runs_;
  options_.progress(size);
  options_.answered();
  return done();
}

Status RowRunner::run_all() {
  do {
    TRY(run_arrays());
  } while (inputs_[0].is_stream() && TRY(inputs_[0].next()));
  for (InputArray& input : inputs_) {
    if (!input.is_stream()) TRY(input.expect_end());
  }
  return done();
}

Status RowRunner::run_arrays() {
  for (const InputArray& input : inputs_) {
    if (input.header().data_size == 0) {
      return Error(ErrorCode::kMalformed, printable(input.path()) + " is " +
                                              describe_array(input.header()) + ", which is empty");
    }
  }
  TRY(prepare());
  const Cut cut = TRY(this->cut());
  if (options_.batch != 0 && cut.batch != std::min(options_.batch, cut.rows)) {
    return Error(ErrorCode::kUsage, "the model takes " + std::to_string(cut.batch) +
                                        " rows at a time, --batch says " +
                                        std::to_string(options_.batch));
  }
  TRY(check_budget(cut));
  TRY(begin_outputs(cut));
  std::map<std::string, host::HostTensor> tensors;
  std::uint64_t left = cut.rows;
  for (; left >= cut.batch; left -= cut.batch) TRY(run_once(cut, cut.batch, tensors));
  if (left == 0) return done();
  // The rows that do not fill a batch: the model is made ready for fewer.
  TRY(load(shapes_for(cut, left))
          .within("the last " + std::to_string(left) + " rows, which fill no batch of " +
                  std::to_string(cut.batch)));
  return run_once(cut, left, tensors);
}

}  // namespace sealpack::loader
