/** The command line: parse, call, print. */
module dev.cowherd.cli {
    requires static transitive org.jspecify;
    requires dev.cowherd.image;
    requires dev.cowherd.check;
    requires dev.cowherd.nbd;
    requires HdrHistogram;

    requires dev.cowherd.format;
    requires dev.cowherd.storage;

    exports dev.cowherd.cli;
}
