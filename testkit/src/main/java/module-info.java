/** Reference model, hostile images and drivers of real peers, for tests. */
module dev.cowherd.testkit {
    requires static transitive org.jspecify;
    requires transitive dev.cowherd.format;
    requires transitive dev.cowherd.storage;
    requires transitive dev.cowherd.image;

    exports dev.cowherd.testkit;
    exports dev.cowherd.testkit.lab;
}
