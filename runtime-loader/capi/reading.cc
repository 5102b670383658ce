// SPDX-License-Identifier: Apache-2.0
// Files and tensors into memory of the caller.
#include <algorithm>

#include "runtime-loader/capi/handles.h"

namespace sealpack::capi {
namespace {

Result<MutableBytes> buffer_of(void* buffer, std::size_t size) {
  if (size != 0) TRY(require(buffer, "buffer"));
  return MutableBytes(static_cast<std::uint8_t*>(buffer), size);
}

Result<const IndexedTensor*> tensor_at(BundleState& state, std::size_t index) {
  const std::vector<IndexedTensor>* tensors = TRY(state.tensors());
  if (index < tensors->size()) return &(*tensors)[index];
  return usage("the model has " + std::to_string(tensors->size()) +
               " tensors, there is no tensor " + std::to_string(index));
}

Status check_range(const IndexedTensor& tensor, std::uint64_t offset, std::uint64_t size) {
  if (offset <= tensor.size && size <= tensor.size - offset) return done();
  return usage("bytes " + std::to_string(offset) + " + " + std::to_string(size) + " of tensor " +
               printable(tensor.name) + ", which has " + std::to_string(tensor.size));
}

// Where rows of a tensor are. kUsage outside, for a scalar, and for another size than they take.
Result<std::uint64_t> row_offset(const IndexedTensor& tensor, std::uint64_t first,
                                 std::uint64_t count, std::uint64_t size) {
  const std::string name = "tensor " + printable(tensor.name);
  if (tensor.shape.empty()) return usage(name + " is a scalar and has no rows");
  const std::uint64_t rows = tensor.shape.front();
  if (first > rows || count > rows - first) {
    return usage("rows " + std::to_string(first) + " + " + std::to_string(count) + " of " + name +
                 ", which has " + std::to_string(rows));
  }
  const std::uint64_t row_size = rows == 0 ? 0 : tensor.size / rows;
  if (row_size * rows != tensor.size) {
    return usage("the rows of " + name + " do not begin at whole bytes");
  }
  if (size != count * row_size) {
    return usage(std::to_string(count) + " rows of " + name + " take " +
                 std::to_string(count * row_size) + " bytes, not " + std::to_string(size));
  }
  return first * row_size;
}

}  // namespace
}  // namespace sealpack::capi

using namespace sealpack;

int sealpack_file_pread(sealpack_bundle* bundle, size_t index, uint64_t offset, void* buffer,
                        size_t size, sealpack_error* error) {
  return capi::guarded_filling(buffer, size, error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    return state->read(index, offset, TRY(capi::buffer_of(buffer, size)));
  });
}

int sealpack_file_stream(sealpack_bundle* bundle, size_t index, uint64_t offset, uint64_t size,
                         const sealpack_sink* sink, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    return state->stream(index, offset, size, 0, TRY(capi::take(sink, "sink")));
  });
}

int sealpack_tensor_count(sealpack_bundle* bundle, size_t* count, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    TRY(capi::require(count, "count"));
    *count = TRY(TRY(capi::state_of(bundle))->tensors())->size();
    return done();
  });
}

int sealpack_tensor_describe(sealpack_bundle* bundle, size_t index, sealpack_tensor* tensor,
                             sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    const capi::IndexedTensor* found = TRY(capi::tensor_at(*TRY(capi::state_of(bundle)), index));
    sealpack_tensor out{};
    out.name = found->name.c_str();
    out.dtype = found->dtype.c_str();
    out.shape = found->shape.data();
    out.rank = static_cast<std::uint32_t>(found->shape.size());
    out.size = found->size;
    out.file = found->file;
    out.file_offset = found->offset;
    return capi::give(out, tensor, "tensor");
  });
}

int sealpack_tensor_find(sealpack_bundle* bundle, const char* name, size_t* index,
                         sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    const std::vector<capi::IndexedTensor>* tensors = TRY(TRY(capi::state_of(bundle))->tensors());
    const std::string wanted = TRY(capi::text_of(name, "name"));
    TRY(capi::require(index, "index"));
    const auto by_name = [](const auto& tensor, const auto& text) { return tensor.name < text; };
    const auto found = std::lower_bound(tensors->begin(), tensors->end(), wanted, by_name);
    if (found == tensors->end() || found->name != wanted) {
      return capi::usage("the model has no tensor " + printable(wanted));
    }
    if (std::next(found) != tensors->end() && std::next(found)->name == wanted) {
      return capi::usage("several files have a tensor " + printable(wanted) + "; go by index");
    }
    *index = static_cast<std::size_t>(found - tensors->begin());
    return done();
  });
}

int sealpack_tensor_pread(sealpack_bundle* bundle, size_t index, uint64_t offset, void* buffer,
                          size_t size, sealpack_error* error) {
  return capi::guarded_filling(buffer, size, error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    const capi::IndexedTensor* tensor = TRY(capi::tensor_at(*state, index));
    TRY(capi::check_range(*tensor, offset, size));
    return state->read(tensor->file, tensor->offset + offset, TRY(capi::buffer_of(buffer, size)));
  });
}

int sealpack_tensor_rows(sealpack_bundle* bundle, size_t index, uint64_t first, uint64_t count,
                         void* buffer, size_t size, sealpack_error* error) {
  return capi::guarded_filling(buffer, size, error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    const capi::IndexedTensor* tensor = TRY(capi::tensor_at(*state, index));
    const std::uint64_t offset = TRY(capi::row_offset(*tensor, first, count, size));
    return state->read(tensor->file, tensor->offset + offset, TRY(capi::buffer_of(buffer, size)));
  });
}

int sealpack_tensor_stream(sealpack_bundle* bundle, size_t index, uint64_t offset, uint64_t size,
                           const sealpack_sink* sink, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    const capi::IndexedTensor* tensor = TRY(capi::tensor_at(*state, index));
    TRY(capi::check_range(*tensor, offset, size));
    return state->stream(tensor->file, tensor->offset + offset, size, tensor->offset,
                         TRY(capi::take(sink, "sink")));
  });
}
