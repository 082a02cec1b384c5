/** The command line: parse, call, print. */
module dev.cowherd.cli {
    requires static transitive org.jspecify;
    requires dev.cowherd.image;
    requires dev.cowherd.check;
    requires dev.cowherd.nbd;
    requires dev.cowherd.format;
    requires dev.cowherd.storage;
    requires HdrHistogram;
    requires jdk.jfr;
    requires com.github.luben.zstd_jni;

    exports dev.cowherd.cli;
}
