/** Pure codecs of the QCOW2 on-disk structures: bytes in, values out, no I/O, no state, no locks. */
module dev.cowherd.format {
    requires static transitive org.jspecify;
    requires com.github.luben.zstd_jni;
    requires aircompressor.v3;

    exports dev.cowherd.format;
    exports dev.cowherd.format.codec;
}
