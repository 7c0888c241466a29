rule comparisons:
    input:
        lambda wildcards: list_inputs(plan.list_comparison_runs, wildcards.study),
    output:
        csv=report(
            "results/<name>{study}/comparisons.csv",
            caption="../report/comparisons.rst",
            category="Comparisons",
            labels={"study": "{study}", "what": "table"},
        ),
        md="results/<name>{study}/comparisons.md",
        intervals=report(
            "results/<name>{study}/intervals.png",
            caption="../report/comparisons.rst",
            category="Comparisons",
            labels={"study": "{study}", "what": "intervals"},
        ),
        curves=report(
            "results/<name>{study}/curves.png",
            caption="../report/comparisons.rst",
            category="Comparisons",
            labels={"study": "{study}", "what": "curves"},
        ),
        runs="results/<name>{study}/runs.parquet",
    log:
        "logs/<name>{study}/comparisons.log",
    benchmark:
        "results/benchmarks/<name>{study}/comparisons.tsv"
    wildcard_constraints:
        study="|".join(plan.STUDIES),
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=reads("comparisons"),
        code=code("comparisons.py"),
    script:
        "../scripts/comparisons.py"


rule sweep:
    input:
        "results/<name>sweep/comparisons.md",
    localrule: True


rule headroom:
    input:
        "results/<name>headroom/comparisons.md",
    localrule: True


rule evidence:
    input:
        "results/<name>evidence/comparisons.md",
    localrule: True
