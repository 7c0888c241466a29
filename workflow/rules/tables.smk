rule table:
    input:
        runs=lambda wildcards: list_inputs(
            plan.list_table_runs, f"table{wildcards.number}"
        ),
        notices=lambda wildcards: plan.list_notice_files(
            config, plan.list_table_runs(config, f"table{wildcards.number}")
        ),
    output:
        csv=report(
            ensure("results/<name>tables/table{number}.csv", non_empty=True),
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{number}"},
        ),
        md=ensure("results/<name>tables/table{number}.md", non_empty=True),
        tex=ensure("results/<name>tables/table{number}.tex", non_empty=True),
        runs=ensure("results/<name>tables/table{number}_runs.csv", non_empty=True),
    log:
        "logs/<name>tables/table{number}.log",
    benchmark:
        "results/benchmarks/<name>tables/table{number}.tsv"
    wildcard_constraints:
        number="[1-5]",
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=reads("table"),
        code=code("tables.py"),
    script:
        "../scripts/tables.py"


rule tables:
    input:
        plan.list_table_files(config),
    localrule: True


rule diagnostics:
    input:
        list_paths(plan.list_diagnostic_runs(config)),
    output:
        csv=report(
            ensure("results/<name>tables/diagnostics.csv", non_empty=True),
            caption="../report/diagnostics.rst",
            category="Tables",
            labels={"table": "diagnostics"},
        ),
        md=ensure("results/<name>tables/diagnostics.md", non_empty=True),
    log:
        "logs/<name>tables/diagnostics.log",
    benchmark:
        "results/benchmarks/<name>tables/diagnostics.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=reads("diagnostics"),
        code=code("diagnostics.py"),
    script:
        "../scripts/diagnostics.py"


rule repetitions:
    input:
        lambda wildcards: list_inputs(plan.list_table_runs, "table1"),
    output:
        csv=ensure("results/<name>tables/repetitions.csv", non_empty=True),
        md=ensure("results/<name>tables/repetitions.md", non_empty=True),
    log:
        "logs/<name>tables/repetitions.log",
    benchmark:
        "results/benchmarks/<name>tables/repetitions.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=reads("repetitions"),
        code=code("repetitions.py"),
    script:
        "../scripts/repetitions.py"
