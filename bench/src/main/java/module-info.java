/** Side-by-side benchmarks and their report. */
module dev.cowherd.bench {
    requires static transitive org.jspecify;
    requires dev.cowherd.image;
    requires jdk.management;
    requires jmh.core;
}
