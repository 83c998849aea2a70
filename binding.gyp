{
  "variables": { "openssl_fips": "" },
  "targets": [
    {
      "target_name": "vitrine",
      "conditions": [
        ["OS!='linux'", {
          "type": "none",
          "actions": [{
            "action_name": "unsupported_platform",
            "inputs": [],
            "outputs": ["unsupported_platform"],
            "action": ["node", "-e", "console.error('vitrine runs on Linux only; native/region.cc, lock.cc and wake.cc are what a port replaces.'); process.exit(1)"]
          }]
        }, {
          "sources": [
            "native/addon.cc",
            "native/checksum.cc",
            "native/glue.cc",
            "native/lock.cc",
            "native/pin.cc",
            "native/reader_handle.cc",
            "native/region.cc",
            "native/state.cc",
            "native/wake.cc",
            "native/writer_handle.cc"
          ],
          "include_dirs": ["<!@(node -p \"require('node-addon-api').include_dir\")"],
          # Without the last one a worker thread that is terminated inside a native call ends the whole process: Node-API
          # refuses every call from then on, and node-addon-api takes an error that it cannot throw for fatal.
          "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
          "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-rtti"],
          "cflags_cc": ["-std=c++20", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-fno-exceptions", "-O3"],
          "cflags+": ["-fvisibility=hidden"]
        }]
      ]
    }
  ]
}
