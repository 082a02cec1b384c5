package dev.cowherd.check;

/** What a check tells while it runs. Every method is called on the thread that runs the check, so none needs to be safe for more. */
public interface CheckListener {
    /** Hears nothing. */
    CheckListener SILENT = new CheckListener() {
        @Override
        public void found(String line) {}

        @Override
        public void progress(double fraction) {}
    };

    /**
     * A fault was found.
     *
     * @param line one line for a person, in the words of {@code qemu-img check}, without a line feed
     */
    void found(String line);

    /**
     * The check got on.
     *
     * @param fraction how much of the work is done, from 0 to 1, never less than before
     */
    void progress(double fraction);
}
