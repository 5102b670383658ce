# SPDX-License-Identifier: Apache-2.0
"""libsealpack-loader for Python, with ctypes alone: enough to read the files and tensors of a sealed model.

    session = Session("vendor.pub")
    bundle = session.open("model.seal")
    bundle.unlock("device.key")
    model = bundle.read("model.onnx")

Calls release the interpreter's lock, so threads read in parallel. Bytes go into memory of the caller; what Python
objects hold is plaintext and is not wiped.
"""

import ctypes as c
import ctypes.util

ABI = 1


class Error(Exception):
    """What the library says: code (as in loader.h), message, hint."""

    def __init__(self, code, message, hint):
        super().__init__(message + (f" ({hint})" if hint else ""))
        self.code, self.message, self.hint = code, message, hint


class _Error(c.Structure):
    _fields_ = [("code", c.c_int32), ("message", c.c_char * 1024), ("hint", c.c_char * 512)]


class _Sized(c.Structure):
    """A struct whose first member is its size."""

    def __init__(self, **members):
        super().__init__(struct_size=c.sizeof(type(self)), **members)


class _SessionOptions(_Sized):
    _fields_ = [("struct_size", c.c_size_t), ("trust", c.c_void_p), ("owners", c.c_void_p),
                ("owner_count", c.c_size_t), ("hooks", c.c_void_p), ("clock", c.c_void_p),
                ("counters", c.c_void_p), ("counter_file", c.c_char_p)]


class _File(_Sized):
    _fields_ = [("struct_size", c.c_size_t), ("path", c.c_char_p), ("size", c.c_uint64),
                ("sealed_size", c.c_uint64)]


class _Tensor(_Sized):
    _fields_ = [("struct_size", c.c_size_t), ("name", c.c_char_p), ("dtype", c.c_char_p),
                ("shape", c.POINTER(c.c_uint64)), ("rank", c.c_uint32), ("size", c.c_uint64),
                ("file", c.c_size_t), ("file_offset", c.c_uint64)]


class _Info(_Sized):
    _fields_ = [("struct_size", c.c_size_t), ("product", c.c_char_p), ("version", c.c_char_p),
                ("licence", c.c_char_p), ("scheme", c.c_char_p), ("counter", c.c_uint64),
                ("not_before", c.c_uint64), ("not_after", c.c_uint64), ("uuid", c.c_uint8 * 16),
                ("content_digest", c.c_uint8 * 32), ("release_digest", c.c_uint8 * 32),
                ("authority", c.c_uint8 * 32), ("answer_form", c.c_int32),
                ("answer_decimals", c.c_uint32), ("query_budget", c.c_uint64),
                ("requires_attestation", c.c_int32), ("unlocked", c.c_int32),
                ("bundle_size", c.c_uint64), ("sealed_parameters", c.c_uint64),
                ("card_tensor_count", c.c_size_t), ("fact_count", c.c_size_t),
                ("file_count", c.c_size_t)]


def _load_library(path):
    library = c.CDLL(path or ctypes.util.find_library("sealpack-loader") or "libsealpack-loader.so.1")
    if library.sealpack_loader_abi() != ABI:
        raise Error(70, "this binding is for another libsealpack-loader", "")
    library.sealpack_loader_version.restype = c.c_char_p
    for name in ("trust_free", "session_close", "bundle_close"):
        function = getattr(library, "sealpack_" + name)
        function.restype, function.argtypes = None, [c.c_void_p]
    size, offset, pointer = c.c_size_t, c.c_uint64, c.c_void_p
    arguments = {
        "trust_load": [c.c_char_p, pointer], "session_create": [pointer, pointer],
        "bundle_open_path": [pointer, c.c_char_p, c.c_char_p, pointer],
        "bundle_unlock_key_file": [pointer, c.c_char_p, pointer], "bundle_check": [pointer],
        "bundle_get_info": [pointer, pointer], "bundle_confirm": [pointer],
        "file_describe": [pointer, size, pointer], "file_find": [pointer, c.c_char_p, pointer],
        "file_pread": [pointer, size, offset, pointer, size],
        "tensor_count": [pointer, pointer], "tensor_describe": [pointer, size, pointer],
        "tensor_find": [pointer, c.c_char_p, pointer],
        "tensor_pread": [pointer, size, offset, pointer, size],
    }
    for name, types in arguments.items():
        function = getattr(library, "sealpack_" + name)
        function.restype, function.argtypes = c.c_int, types + [c.POINTER(_Error)]
    return library


class _Handle:
    """Something of the library that is closed once."""

    def __init__(self, library, close):
        self._library, self._close, self._pointer = library, getattr(library, "sealpack_" + close), c.c_void_p()

    def _call(self, name, *arguments):
        error = _Error()
        if getattr(self._library, "sealpack_" + name)(*arguments, c.byref(error)) != 0:
            raise Error(error.code, error.message.decode(), error.hint.decode())

    def close(self):
        if self._pointer:
            self._close(self._pointer)
            self._pointer = c.c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    __del__ = close


class _Trust(_Handle):
    def __init__(self, library, path):
        super().__init__(library, "trust_free")
        self._call("trust_load", str(path).encode(), c.byref(self._pointer))


class Session(_Handle):
    """Opens bundles that `trust` (a .pub or trust.toml) accepts. `counter_file` is SIMULATED: whoever can write it
    can turn it back."""

    def __init__(self, trust, counter_file=None, library=None):
        super().__init__(_load_library(library), "session_close")
        with _Trust(self._library, trust) as loaded:
            options = _SessionOptions(trust=loaded._pointer.value,
                                      counter_file=str(counter_file).encode() if counter_file else None)
            # The struct of this binding may be shorter than the library's: struct_size says so.
            self._call("session_create", c.byref(options), c.byref(self._pointer))

    def open(self, path):
        return Bundle(self, path)


class Bundle(_Handle):
    """A verified bundle."""

    def __init__(self, session, path):
        super().__init__(session._library, "bundle_close")
        self._call("bundle_open_path", session._pointer, str(path).encode(), None, c.byref(self._pointer))

    def unlock(self, key_file):
        self._call("bundle_unlock_key_file", self._pointer, str(key_file).encode(), None)

    def check(self):
        self._call("bundle_check", self._pointer)

    def confirm(self):
        self._call("bundle_confirm", self._pointer)

    def info(self):
        info = _Info()
        self._call("bundle_get_info", self._pointer, c.byref(info))
        return info

    def files(self):
        """Path -> (index, size), of the original model."""
        files = {}
        for index in range(self.info().file_count):
            entry = _File()
            self._call("file_describe", self._pointer, index, c.byref(entry))
            files[entry.path.decode()] = (index, entry.size)
        return files

    def pread(self, index, offset, buffer):
        """Fills a writable buffer (bytearray, NumPy array, pinned memory) with verified bytes of a file."""
        view = memoryview(buffer).cast("B")
        self._call("file_pread", self._pointer, index, offset,
                   (c.c_char * view.nbytes).from_buffer(view), view.nbytes)

    def read(self, path):
        """A whole file."""
        index, size = self.files()[path]
        buffer = bytearray(size)
        if size:
            self.pread(index, 0, buffer)
        return buffer

    def tensors(self):
        """Name -> (dtype, shape, size, index)."""
        count = c.c_size_t()
        self._call("tensor_count", self._pointer, c.byref(count))
        tensors = {}
        for index in range(count.value):
            entry = _Tensor()
            self._call("tensor_describe", self._pointer, index, c.byref(entry))
            tensors[entry.name.decode()] = (entry.dtype.decode(), tuple(entry.shape[:entry.rank]), entry.size, index)
        return tensors

    def read_tensor(self, index, buffer, offset=0):
        view = memoryview(buffer).cast("B")
        self._call("tensor_pread", self._pointer, index, offset,
                   (c.c_char * view.nbytes).from_buffer(view), view.nbytes)
