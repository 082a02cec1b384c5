package dev.cowherd.cli;

/** {@code cowherd --help}: every command with its flags, in one screen. */
final class HelpCommand implements Command {
    private static final String TEXT = """
            usage: cowherd [--debug] [--compat-output=7|10] [--backing-folder DIR] COMMAND [FLAGS] ...

            Commands, with the flags and the output of qemu-img 10:
              create   [-f FMT] [-o OPTIONS] [-b FILE -F FMT] [-u] [-q] FILE [SIZE]
              info     [-f FMT] [--output=human|json] [--backing-chain] [-U] FILE
              map      [-f FMT] [--output=human|json] [-s START] [-l LENGTH] [-U] FILE
              measure  [--output=human|json] [-O FMT] [-o OPTIONS] {--size N | [-f FMT] [-l SNAPSHOT] [-U] FILE}
              check    [-f FMT] [--output=human|json] [-p] [-q] [-r leaks|all] [-T CACHE] [-U] FILE
              compare  [-f FMT] [-F FMT] [-T CACHE] [-s] [-p] [-q] [-U] FILE1 FILE2
              convert  [-O raw|qcow2] [-f FMT] [-l SNAPSHOT] [-o OPTIONS] [-B FILE -F FMT] [-n] [-p] [-q] [-S SIZE]
                       [-m N] [-r RATE] [-t CACHE] [-T CACHE] [--target-is-zero] [-U] FILE ... OUTPUT
              resize   [-f FMT] [--shrink] [--preallocation=MODE] [-q] FILE [+|-]SIZE
              snapshot [-l | -c NAME | -a SNAPSHOT | -d NAME] [-f FMT] [-q] [-U] FILE
              bench    [-w] [--engine=auto|sync|ring] [-c COUNT] [-d DEPTH] [-f FMT] [-s SIZE] [--flush-interval=N] [--queues N] [--random] [--runtime SECONDS] FILE

            Commands of our own:
              serve nbd [--bind ADDR:PORT | --socket PATH] [--export-name NAME] [-f FMT] [-r] [-l SNAPSHOT] [-T CACHE] [-U]
                        [--discard=ignore|unmap] [--detect-zeroes=off|on|unmap] [--max-connections N]
                        [--engine=auto|sync|ring] [--max-inflight N] FILE
              demo

            --backing-folder DIR  allows backing and data files in this folder too; may be given again
            --raw-backing         takes a backing file of no stated format as raw
            --debug               shows where in the program a failure arose
            --compat-output=7     prints the forms of qemu-img 7.2
            """;

    @Override
    public int run(Invocation in) {
        in.out().print(TEXT);
        return 0;
    }
}
